"""Resampling: SIMD where there is a wheel for it, Pillow's own everywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib import import_module
from types import ModuleType

from PIL import Image

from imgsvc.raster import alpha, memory
from imgsvc.raster.geometry import Box, Size
from imgsvc.raster.mapped import unwritten
from imgsvc.raster.orientation import Orientation


class Filter(StrEnum):
    """The kernel of a resampling; all but nearest are widened when a picture gets smaller."""

    LANCZOS = "lanczos"
    BICUBIC = "bicubic"
    BILINEAR = "bilinear"
    BOX = "box"
    NEAREST = "nearest"


#: Our filters as Pillow calls them; its bicubic is Catmull-Rom.
_PILLOW = {
    Filter.LANCZOS: Image.Resampling.LANCZOS,
    Filter.BICUBIC: Image.Resampling.BICUBIC,
    Filter.BILINEAR: Image.Resampling.BILINEAR,
    Filter.BOX: Image.Resampling.BOX,
    Filter.NEAREST: Image.Resampling.NEAREST,
}
_SIMD = {
    Filter.LANCZOS: "lanczos3",
    Filter.BICUBIC: "catmull_rom",
    Filter.BILINEAR: "bilinear",
    Filter.BOX: "box",
}
#: Modes whose pixels the SIMD leg takes as they are, and the bytes of a pixel.
_SIMD_MODES = {"L": 1, "RGB": 4, "RGBA": 4, "CMYK": 4}


def _find() -> ModuleType | None:
    """The SIMD resampler, where it is installed (no wheel for Linux aarch64 or musl)."""
    try:
        return import_module("cykooz_resizer")
    except ImportError:
        return None


class _Legs:
    """Which resampler is used; a process has one."""

    def __init__(self) -> None:
        self.found = _find()
        self.simd = self.found


_legs = _Legs()


def simd() -> bool:
    """Is the SIMD resampler in use?"""
    return _legs.simd is not None


def simd_installed() -> bool:
    """Could it be?"""
    return _legs.found is not None


@contextmanager
def leg(*, simd: bool) -> Iterator[None]:
    """Resample with the one leg or the other within the block: what tests and benchmarks compare.

    Raises LookupError where the SIMD leg is asked for and not installed.
    """
    if simd and _legs.found is None:
        raise LookupError("cykooz-resizer is not installed")
    before = _legs.simd
    _legs.simd = _legs.found if simd else None
    try:
        yield
    finally:
        _legs.simd = before


def resize(
    image: Image.Image,
    size: Size,
    *,
    box: Box | None = None,
    of: Size | None = None,
    kernel: Filter = Filter.LANCZOS,
    orientation: Orientation = Orientation.UPRIGHT,
) -> Image.Image:
    """The picture (L, LA, RGB, RGBA, CMYK), or the part of it in `box`, at another size.

    `box` and `size` are meant for the upright picture, and `box` for one of the size `of`, where
    the pixels in hand are a smaller picture of the same. Colours are weighted by their alpha.
    Raises MemoryError.
    """
    stored = Size(*image.size)
    part = Box(0, 0, *stored)
    if box is not None:
        seen = orientation.size(stored)
        of = of or seen
        scaled = box.scaled(seen.width / of.width, seen.height / of.height)
        part = orientation.stored(scaled, seen).within(stored)
    return orientation.upright(_resize(image, orientation.size(size), part, kernel))


def _resize(image: Image.Image, size: Size, box: Box, kernel: Filter) -> Image.Image:
    if image.size == size and box == Box(0, 0, *size):
        return image
    if kernel is Filter.NEAREST:
        return image.resize(size, _PILLOW[kernel], box)
    library = _legs.simd
    if library is not None and image.mode == "LA":
        return _simd(image.convert("RGBA"), size, box, kernel, library).convert("LA")
    if library is not None and image.mode in _SIMD_MODES:
        return _simd(image, size, box, kernel, library)
    return alpha.straight(alpha.premultiplied(image).resize(size, _PILLOW[kernel], box))


def _simd(image: Image.Image, size: Size, box: Box, kernel: Filter, library: ModuleType) -> Image.Image:
    result = unwritten(image.mode, size)
    # It works through an intermediate picture and, with alpha, a premultiplied copy of the source,
    # and aborts the process when it gets no memory for them.
    between = max(image.width * size.height, size.width * image.height)
    copy = image.width * image.height if image.mode == "RGBA" else 0
    memory.reserve((between + copy) * _SIMD_MODES[image.mode])
    width = min(box.right - box.left, image.width - box.left)
    height = min(box.bottom - box.top, image.height - box.top)
    options = library.ResizeOptions(
        resize_alg=library.ResizeAlg.convolution(library.FilterType[_SIMD[kernel]]),
        crop_box=library.CropBox(box.left, box.top, width, height),
    )
    library.Resizer().resize_pil(image, result, options)
    return result
