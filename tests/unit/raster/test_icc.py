"""Profiles: what they do to pixels, and that a bad one does nothing."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from imgsvc.raster import icc
from tests import profiles
from tests.photos import picture


def plain(image: Image.Image, profile: bytes, mode: str) -> Image.Image:
    """The same by Pillow's own means."""
    srgb = ImageCms.createProfile("sRGB")
    made = ImageCms.profileToProfile(
        image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), srgb, outputMode=mode
    )
    assert made is not None
    return made


def test_a_wide_gamut_is_brought_into_srgb() -> None:
    image = picture()
    made = icc.to_srgb(image, profiles.wide())
    assert made.mode == "RGB"
    assert np.array_equal(np.asarray(made), np.asarray(plain(image, profiles.wide(), "RGB")))
    assert not np.array_equal(np.asarray(made), np.asarray(image))


def test_alpha_passes_through() -> None:
    image = picture(mode="RGBA")
    made = icc.to_srgb(image, profiles.wide())
    assert made.mode == "RGBA"
    assert made.getchannel("A").tobytes() == image.getchannel("A").tobytes()
    assert np.array_equal(
        np.asarray(made.convert("RGB")), np.asarray(plain(image.convert("RGB"), profiles.wide(), "RGB"))
    )


def test_srgb_is_left_alone() -> None:
    image = picture()
    assert icc.to_srgb(image, profiles.srgb()) is image


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_gray_with_a_curve_of_its_own_stays_gray(mode: str) -> None:
    image = Image.linear_gradient("L").convert(mode)
    made = icc.to_srgb(image, profiles.gray(gamma=1.0))
    assert made.mode == mode
    # Linear light at half is 188 in sRGB.
    assert made.getchannel("L").getpixel((0, 128)) == pytest.approx(188, abs=1)


def test_cmyk_becomes_rgb_with_its_profile_and_without() -> None:
    image = Image.merge("CMYK", picture(mode="RGBA").split())
    assert np.array_equal(np.asarray(icc.to_srgb(image, None)), np.asarray(image.convert("RGB")))
    made = icc.to_srgb(image, profiles.cmyk())
    assert made.mode == "RGB"
    assert np.array_equal(np.asarray(made), np.asarray(plain(image, profiles.cmyk(), "RGB")))


@pytest.mark.parametrize(
    "profile",
    [
        b"",
        b"garbage",
        bytes(4_000_000),
        profiles.wide()[:200],
        profiles.wide()[:16] + b"RGB " + bytes(500),
        struct.pack(">L", 300) + profiles.wide()[4:300],
    ],
)
def test_a_damaged_profile_is_no_profile(profile: bytes) -> None:
    image = picture()
    assert icc.to_srgb(image, profile) is image
    assert not icc.embeddable(profile)


def test_a_profile_for_other_pixels_is_ignored() -> None:
    gray = picture(mode="L")
    assert icc.to_srgb(gray, profiles.wide()) is gray
    colour = picture()
    assert icc.to_srgb(colour, profiles.gray()) is colour


def test_a_transform_is_made_once_for_a_profile() -> None:
    first = icc.correction_for(profiles.wide(), "RGB")
    assert first is not None
    assert icc.correction_for(bytes(bytearray(profiles.wide())), "RGB") is first


def test_many_profiles_do_not_pile_up() -> None:
    for index in range(50):
        icc.correction_for(profiles.wide() + bytes([index]), "RGB")
    assert len(icc._corrections) <= icc._KEPT


def test_gray_becomes_rgb_to_keep_a_profile_of_rgb() -> None:
    assert icc.matching(picture(mode="L"), profiles.wide()).mode == "RGB"
    assert icc.matching(Image.new("LA", (2, 2)), profiles.wide()).mode == "RGBA"
    assert icc.matches(picture(mode="L"), profiles.gray())
    assert not icc.embeddable(profiles.cmyk())
    assert icc.embeddable(profiles.wide())


def test_a_profile_has_a_name_unless_it_is_damaged() -> None:
    assert icc.name(profiles.srgb()) == "sRGB built-in"
    assert icc.name(profiles.wide()) == "test"
    assert icc.name(None) is None
    assert icc.name(profiles.wide()[:100]) is None
    assert icc.name(b"nonsense") is None


def test_a_profiles_name_is_printable_and_short() -> None:
    odd = profiles.named(b"a\x1b[31m\nb" + b"c" * 200)
    assert icc.name(odd) == ("a[31mb" + "c" * 200)[:100]
    assert icc.name(profiles.named(b"")) == "unnamed"
