"""The text form, as the documentation of the grammar has it."""

from __future__ import annotations

import pytest

from imgsvc.errors import InvalidOperation
from imgsvc.formats.avif import Avif
from imgsvc.operations.blur import Blur
from imgsvc.operations.crop import Crop
from imgsvc.operations.rotate import Rotate
from imgsvc.pipeline import Grammar, Pipeline


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("crop:300x200", "crop:300x200"),
        ("crop:size=300x200", "crop:300x200"),
        ("crop:w=300,h=200", "crop:300x200"),
        ("crop:width=300", "crop:300x"),
        ("crop:height=200", "crop:x200"),
        ("crop:300x200,y=2,x=1", "crop:300x200,x=1,y=2"),
        ("crop:0.5x0.50,x=1.0", "crop:0.5x0.5,x=1.0"),
        ("crop:0300x0200,x=01.00", "crop:300x200,x=1.0"),
        ("blur:2", "blur"),
        ("blur:2.0", "blur"),
        ("blur:2.50", "blur:2.5"),
        ("blur:sigma=3.0", "blur:3"),
        ("sharpen:1.0,threshold=2", "sharpen"),
        ("sharpen:sigma=2,threshold=0", "sharpen:sigma=2,threshold=0"),
        ("border:4,color=black", "border:4"),
        ("border:4,RED", "border:4,ff0000"),
        ("border:4,f008", "border:4,ff000088"),
        ("rotate:45,bg=fff,expand", "rotate:45,background=ffffff"),
        ("rotate:45,expand=false", "rotate:45,expand=false"),
        ("rotate:-0.0", "rotate:0"),
        ("keep:copyright,icc", "keep:icc,copyright"),
        ("keep:icc=true,copyright=false", "keep:icc"),
        ("resize:300x200,fit=inside", "resize:300x200"),
        ("resize:fit=cover,size=300x200,enlarge", "resize:300x200,fit=cover,enlarge"),
        ("blur|flip|avif:q=70", "blur/flip/avif:70"),
        ("flip/jpg", "flip/jpeg"),
        ("jpg:q=85,progressive", "jpeg:85,progressive"),
        (" blur : 3 | flip ", "blur:3/flip"),
    ],
)
def test_every_spelling_has_one_canonical_text(written: str, canonical: str, grammar: Grammar) -> None:
    assert grammar.parse(written).text == canonical
    assert grammar.parse(canonical).text == canonical


def test_a_pipeline_is_its_operations_in_order_and_its_format(grammar: Grammar) -> None:
    pipeline = grammar.parse("blur:4/crop:10x/rotate:90/avif:60")
    blur, crop, rotate = pipeline.operations
    assert blur == Blur(sigma=4)
    assert isinstance(crop, Crop)
    assert rotate == Rotate(degrees=90)
    assert pipeline.format == Avif(quality=60)
    assert str(pipeline) == pipeline.text


def test_without_a_format_the_format_of_the_source_is_kept(grammar: Grammar) -> None:
    assert grammar.parse("flip").format is None


def test_the_empty_text_only_reencodes_but_nobody_asks_for_it(grammar: Grammar) -> None:
    assert grammar.parse("") == Pipeline()
    assert Pipeline().text == ""
    with pytest.raises(InvalidOperation, match="empty"):
        grammar.load("")
    with pytest.raises(InvalidOperation, match="empty"):
        grammar.load([])


def test_a_number_with_a_point_is_a_fraction_and_one_without_is_pixels(grammar: Grammar) -> None:
    fraction, pixels = grammar.parse("crop:10x10,x=1.0"), grammar.parse("crop:10x10,x=1")
    assert fraction != pixels
    assert fraction.text == "crop:10x10,x=1.0"


def test_escapes_stand_for_the_signs_of_the_grammar(grammar: Grammar) -> None:
    assert grammar.parse("crop:1~30x10".replace("~30", "0")).text == "crop:10x10"
    with pytest.raises(InvalidOperation, match="'red,blue'"):
        grammar.parse("border:1,red~2Cblue")
    with pytest.raises(InvalidOperation, match="none of the escapes"):
        grammar.parse("border:1,red~20")


def test_percent_is_not_in_the_grammar(grammar: Grammar) -> None:
    with pytest.raises(InvalidOperation):
        grammar.parse("crop:300%78200")


def test_twenty_operations_and_a_format_are_a_pipeline_and_one_more_is_not(grammar: Grammar) -> None:
    assert len(grammar.parse("/".join(["flip"] * 20 + ["avif"])).operations) == 20
    with pytest.raises(InvalidOperation, match="at most 20") as caught:
        grammar.parse("/".join(["flip"] * 21))
    assert caught.value.problem.errors[0].pointer == "/20"


def test_operations_for_outside_tests_exist_only_where_asked_for(grammar: Grammar) -> None:
    assert Grammar(testing=True).parse("test-sleep:0.5").text == "test-sleep:0.5"
    with pytest.raises(InvalidOperation, match="no operation 'test-sleep'"):
        grammar.parse("test-sleep:0.5")


def test_a_pipeline_knows_what_it_keeps_and_whether_it_is_upright(grammar: Grammar) -> None:
    pipeline = grammar.parse("orient:none/keep:icc/keep:copyright")
    assert not pipeline.upright
    assert pipeline.keeps == {"icc", "copyright"}
    assert grammar.parse("orient").upright
    assert grammar.parse("flip").keeps == frozenset()
    assert grammar.parse("flip").sources() == ()
