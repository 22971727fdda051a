"""One parameter: its text, its JSON, its default."""

from __future__ import annotations

from typing import ClassVar, Literal

import pytest
from pydantic import Field

from imgsvc.operations import Operation
from imgsvc.pipeline.parameters import decimal
from imgsvc.pipeline.words import word


class Label(Operation):
    """An operation with every kind of parameter."""

    positional: ClassVar[tuple[str, ...]] = ("text", "bits", "rest")
    example: ClassVar[str] = "label:a"

    text: str = "hello"
    bits: Literal[3, 5] = 3
    rest: str = ""
    ratio: float = Field(0.5, ge=0, le=1)
    quality: int | Literal["auto"] = 80
    place: int | float = Field(0, ge=0, le=100)
    tile: bool = False


@pytest.mark.parametrize(
    ("label", "text"),
    [
        (Label(), "test-parameters"),
        (Label(text="a,b/c:d=e|f~g"), "test-parameters:a~2Cb~2Fc~3Ad~3De~7Cf~7Eg"),
        (Label(text="tile"), "test-parameters:tile"),
        (Label(text=""), "test-parameters:text="),
        (Label(bits=5), "test-parameters:bits=5"),
        (Label(text="x", bits=5), "test-parameters:x,5"),
        (Label(text="x", rest="y"), "test-parameters:x,rest=y"),
        (Label(text="x", bits=5, rest="tile"), "test-parameters:x,5,rest=tile"),
        (Label(tile=True), "test-parameters:tile=true"),
        (Label(text="x", tile=True), "test-parameters:x,tile"),
        (Label(ratio=1.0), "test-parameters:ratio=1"),
        (Label(ratio=1e-7), "test-parameters:ratio=0.0000001"),
        (Label(place=1.0), "test-parameters:place=1.0"),
        (Label(place=1), "test-parameters:place=1"),
        (Label(place=0.0), "test-parameters:place=0.0"),
        (Label(quality="auto"), "test-parameters:quality=auto"),
        (Label(quality=7), "test-parameters:quality=7"),
    ],
)
def test_a_use_is_written_shortly_but_never_so_that_it_would_read_otherwise(label: Label, text: str) -> None:
    # A word is named after its module; pytest's import mode gives this one a path for a name.
    found = word(Label)
    assert found.text(label).replace(found.name, "test-parameters") == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.1, "0.1"),
        (1.0, "1.0"),
        (1e-10, "0.0000000001"),
        (1e17, "100000000000000000"),
        (-0.0, "0.0"),
        (3, "3"),
    ],
)
def test_a_decimal_has_no_exponent_and_reads_back(number: float, text: str) -> None:
    assert decimal(number) == text
    assert float(text) == number
