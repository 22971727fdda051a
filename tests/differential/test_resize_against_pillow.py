"""Resize and thumbnail against plain Pillow, computed here, with both resamplers."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.differential.legs import LEGS, NAMES, ours, psnr, worst
from tests.photos import photo, picture

LANCZOS = Image.Resampling.LANCZOS
#: Two orders of rounding to 8 bits in between, and the other leg's arithmetic.
WORST, DECIBELS = 10, 45.0

#: What a pipeline is to make of a picture of 160 x 120, in Pillow's words.
PLAIN: dict[str, Callable[[Image.Image], Image.Image]] = {
    "thumbnail:64x64": lambda im: im.resize((64, 48), LANCZOS),
    "thumbnail:640x640": lambda im: im.copy(),
    "resize:80x60": lambda im: im.resize((80, 60), LANCZOS),
    "resize:100x20": lambda im: ImageOps.contain(im, (100, 20), LANCZOS),
    "resize:x33": lambda im: im.resize((44, 33), LANCZOS),
    "resize:0.25": lambda im: im.resize((40, 30), LANCZOS),
    "resize:300x300": lambda im: im.copy(),
    "resize:300x300,enlarge": lambda im: im.resize((300, 225), LANCZOS),
    "resize:50x50,fit=cover": lambda im: ImageOps.fit(im, (50, 50), LANCZOS),
    "resize:90x20,fit=cover": lambda im: ImageOps.fit(im, (90, 20), LANCZOS),
    "resize:50x50,fit=cover,gravity=w": lambda im: ImageOps.fit(im, (50, 50), LANCZOS, centering=(0, 0.5)),
    "resize:50x50,fit=cover,gravity=se": lambda im: ImageOps.fit(im, (50, 50), LANCZOS, centering=(1, 1)),
    "resize:200x200,fit=cover": lambda im: im.crop((20, 0, 140, 120)),
    "resize:200x200,fit=cover,enlarge": lambda im: ImageOps.fit(im, (200, 200), LANCZOS),
    "resize:40x40,fit=fill": lambda im: im.resize((40, 40), LANCZOS),
    "resize:200x40,fit=fill": lambda im: im.resize((160, 40), LANCZOS),
    "resize:200x40,fit=fill,enlarge": lambda im: im.resize((200, 40), LANCZOS),
    "resize:40x40,fit=outside": lambda im: im.resize((53, 40), LANCZOS),
    "resize:60x60,fit=pad": lambda im: ImageOps.expand(im.resize((60, 45), LANCZOS), (0, 7, 0, 8), "white"),
    "resize:60x60,fit=pad,gravity=n,background=navy": lambda im: ImageOps.pad(
        im, (60, 60), LANCZOS, (0, 0, 128), centering=(0.5, 0)
    ),
    "resize:300x200,fit=pad": lambda im: ImageOps.expand(im, (70, 40, 70, 40), "white"),
    "resize:80x60,filter=bicubic": lambda im: im.resize((80, 60), Image.Resampling.BICUBIC),
    "resize:80x60,filter=bilinear": lambda im: im.resize((80, 60), Image.Resampling.BILINEAR),
    "resize:80x60,filter=box": lambda im: im.resize((80, 60), Image.Resampling.BOX),
    "resize:77x50,filter=nearest,fit=fill": lambda im: im.resize((77, 50), Image.Resampling.NEAREST),
    "grayscale": lambda im: im.convert("L"),
    "resize:80x60/grayscale": lambda im: im.resize((80, 60), LANCZOS).convert("L"),
}


@pytest.mark.parametrize("simd", LEGS, ids=NAMES)
@pytest.mark.parametrize("ops", PLAIN)
def test_we_make_what_pillow_makes(ops: str, simd: bool) -> None:  # pytest's way
    made, plain = ours(photo(format="PNG"), ops, simd=simd), PLAIN[ops](picture())
    assert worst(made, plain) <= WORST
    assert psnr(made, plain) >= DECIBELS


@pytest.mark.parametrize("simd", LEGS, ids=NAMES)
@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK"])
def test_other_modes_are_made_gray_or_rgb_first(mode: str, simd: bool) -> None:
    image = picture(mode=mode)
    source = (
        photo(mode=mode, format="JPEG", quality=100) if mode == "CMYK" else photo(mode=mode, format="PNG")
    )
    plain = image.convert("L" if mode in {"1", "L"} else "RGB").resize((80, 60), LANCZOS)
    # Dots of black and white overshoot what 8 bits hold in between, and JPEG loses a little.
    least = {"1": 35, "CMYK": 38}.get(mode, DECIBELS)
    assert psnr(ours(source, "resize:80x60", simd=simd), plain) >= least


@pytest.mark.parametrize("simd", LEGS, ids=NAMES)
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_resampled_premultiplied(mode: str, simd: bool) -> None:
    image = picture(mode="RGBA").convert(mode)
    made = ours(_png(image), "resize:80x60", simd=simd)
    plain = image.convert({"RGBA": "RGBa", "LA": "La"}[mode]).resize((80, 60), LANCZOS).convert(mode)
    assert worst(made.getchannel("A"), plain.getchannel("A")) <= WORST
    shown = np.asarray(plain.getchannel("A")) > 64  # below that colours are coarse
    apart = np.asarray(made, dtype=np.int16)[shown] - np.asarray(plain, dtype=np.int16)[shown]
    assert np.abs(apart).max() <= WORST


@pytest.mark.parametrize("simd", LEGS, ids=NAMES)
def test_16_bits_are_resampled_from_their_upper_eight(simd: bool) -> None:
    levels = np.asarray(picture(mode="L"), dtype=np.uint16) * 257
    made = ours(_png(Image.fromarray(levels)), "resize:80x60", simd=simd)
    assert worst(made, picture(mode="L").resize((80, 60), LANCZOS)) <= WORST


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
