"""No operation changes the picture that it is given: other outputs work from it too."""

from __future__ import annotations

import pytest

from imgsvc import operations
from imgsvc.operations import Context
from imgsvc.pipeline import Grammar
from imgsvc.raster.geometry import Size
from tests.photos import picture


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("example", sorted(cls.example for cls in operations.registry().values()))
def test_an_operation_leaves_its_input_alone(example: str, mode: str) -> None:
    (operation,) = Grammar().parse(example).operations
    image = picture(mode="RGBA").convert(mode)
    before = image.tobytes()
    operation.apply(image, Context(size=Size(*image.size)))
    assert image.tobytes() == before
