"""Both resamplers against Pillow's arithmetic, and against each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgsvc.raster import resample
from imgsvc.raster.geometry import Box, Size
from imgsvc.raster.orientation import Orientation
from imgsvc.raster.resample import Filter
from tests.photos import picture

#: Both legs round intermediate pixels to 8 bits, each in its own order (design/architecture.md: up to
#: 10 levels apart in a pixel of a photograph).
WORST, MEAN = 10, 0.6

LEGS = [False, True] if resample.simd_installed() else [False]


@pytest.fixture(params=LEGS, ids=["pillow", "simd"][: len(LEGS)])
def _leg(request: pytest.FixtureRequest) -> Iterator[None]:
    with resample.leg(simd=request.param):
        yield


def difference(one: Image.Image, other: Image.Image) -> np.ndarray:
    assert (one.mode, one.size) == (other.mode, other.size)
    apart: np.ndarray = np.abs(np.asarray(one, dtype=np.int16) - np.asarray(other, dtype=np.int16))
    return apart


def near(one: Image.Image, other: Image.Image) -> None:
    apart = difference(one, other)
    assert apart.max() <= WORST
    assert apart.mean() <= MEAN


@pytest.mark.usefixtures("_leg")
@pytest.mark.parametrize("kernel", Filter)
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("size", [(40, 30), (53, 7), (301, 203), (160, 30)])
def test_it_resamples_as_pillow_does(kernel: Filter, mode: str, size: tuple[int, int]) -> None:
    image = picture(mode=mode)
    made = resample.resize(image, Size(*size), kernel=kernel)
    near(made, image.resize(size, Image.Resampling[kernel.name]))


@pytest.mark.usefixtures("_leg")
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_invisible_colours_do_not_bleed(mode: str) -> None:
    image = Image.new("RGBA", (64, 64), (255, 255, 255, 0))
    image.paste((0, 0, 0, 255), (16, 16, 48, 48))
    made = resample.resize(image.convert(mode), Size(24, 24)).convert("RGBA")
    visible = np.asarray(made).reshape(-1, 4)
    assert visible[visible[:, 3] > 8][:, :3].max() <= 8, "white from beyond the edge has come in"


@pytest.mark.usefixtures("_leg")
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_resampled_as_premultiplied(mode: str) -> None:
    image = picture(mode="RGBA").convert(mode)
    premultiplied = {"LA": "La", "RGBA": "RGBa"}[mode]
    plain = image.convert(premultiplied).resize((40, 30), Image.Resampling.LANCZOS).convert(mode)
    made = resample.resize(image, Size(40, 30))
    covered = np.asarray(plain.getchannel("A")) > 64  # below that colours are coarse
    apart = difference(made, plain)[covered]
    assert apart.max() <= WORST
    assert difference(made.getchannel("A"), plain.getchannel("A")).max() <= WORST


@pytest.mark.usefixtures("_leg")
def test_a_box_is_cut_out_to_the_fraction_of_a_pixel() -> None:
    image, box = picture(), (10.25, 20.5, 110.75, 100.0)
    made = resample.resize(image, Size(50, 40), box=Box(*box))
    near(made, image.resize((50, 40), Image.Resampling.LANCZOS, box))


@pytest.mark.usefixtures("_leg")
def test_a_box_may_be_meant_for_a_larger_picture_of_the_same() -> None:
    image = picture()
    made = resample.resize(image, Size(50, 40), box=Box(80, 40, 640, 480), of=Size(640, 480))
    near(made, image.resize((50, 40), Image.Resampling.LANCZOS, (20, 10, 160, 120)))


@pytest.mark.usefixtures("_leg")
@pytest.mark.parametrize("orientation", Orientation)
def test_what_lies_otherwise_comes_out_upright(orientation: Orientation) -> None:
    image = picture(160, 90)
    upright = orientation.upright(image)
    width, height = upright.size
    box = Box(5, 10, width - 20, height - 3)
    made = resample.resize(image, Size(33, 44), box=box, orientation=orientation)
    near(made, upright.resize((33, 44), Image.Resampling.LANCZOS, box))


@pytest.mark.usefixtures("_leg")
@given(
    st.sampled_from(["L", "LA", "RGB", "RGBA"]),
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.tuples(*[st.floats(0, 0.5)] * 4),
)
@settings(max_examples=60, deadline=None)
def test_any_size_and_box_can_be_had(
    mode: str,
    source: tuple[int, int],
    target: tuple[int, int],
    cut: tuple[float, float, float, float],
) -> None:
    image = picture(*source, mode="RGBA").convert(mode)
    width, height = source
    box = Box(cut[0] * width, cut[1] * height, width - cut[2] * width * 0.9, height - cut[3] * height * 0.9)
    made = resample.resize(image, Size(*target), box=box)
    assert (made.mode, made.size) == (mode, target)


@pytest.mark.usefixtures("_leg")
@pytest.mark.usefixtures("_leg")
@settings(deadline=None, max_examples=300)
@given(
    of=st.tuples(st.integers(2, 1500), st.integers(2, 1500)),
    reduced=st.sampled_from([2, 4, 8]),
    orientation=st.sampled_from(Orientation),
)
def test_the_whole_of_a_reduced_picture_is_never_a_hair_more(
    of: tuple[int, int], reduced: int, orientation: Orientation
) -> None:
    """How JPEGs are decoded at a half, a quarter or an eighth: sides are rounded up."""
    stored = Size(-(-of[0] // reduced), -(-of[1] // reduced))
    whole = orientation.size(Size(*of))
    image = Image.new("L", stored)
    made = resample.resize(image, Size(3, 2), box=Box(0, 0, *whole), of=whole, orientation=orientation)
    assert made.size == (3, 2)


def test_a_flat_colour_stays_what_it_is() -> None:
    for colour in ((0, 0, 0, 255), (255, 255, 255, 255), (17, 130, 201, 255)):
        image = Image.new("RGBA", (300, 200), colour)
        assert resample.resize(image, Size(77, 33)).getcolors() == [(77 * 33, colour)]


def test_nothing_to_do_costs_nothing() -> None:
    image = picture()
    assert resample.resize(image, Size(*image.size)) is image


@pytest.mark.skipif(not resample.simd_installed(), reason="there is no wheel for this machine")
def test_the_leg_is_restored_after_the_block() -> None:
    assert resample.simd()
    with resample.leg(simd=False):
        assert not resample.simd()
    assert resample.simd()


@pytest.mark.skipif(resample.simd_installed(), reason="there is a wheel for this machine")
def test_a_leg_that_is_not_there_is_refused() -> None:
    with pytest.raises(LookupError), resample.leg(simd=True):
        pass
