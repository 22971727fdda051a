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
    image: Image.Image, size: Size, *, box: Box | None = None, kernel: Filter = Filter.LANCZOS
) -> Image.Image:
    """The picture (L, LA, RGB, RGBA, CMYK), or the part of it in `box`, at another size.

    Colours are weighted by their alpha. Raises MemoryError.
    """
    whole = Box(0, 0, *image.size)
    box = box or whole
    if box == whole and image.size == tuple(size):
        return image
    if kernel is Filter.NEAREST:
        return image.resize(size, _PILLOW[kernel], box)
    if image.mode == "LA" and _legs.simd is not None:
        return _simd(image.convert("RGBA"), size, box, kernel, _legs.simd).convert("LA")
    if image.mode in _SIMD_MODES and _legs.simd is not None:
        return _simd(image, size, box, kernel, _legs.simd)
    small = alpha.premultiplied(image).resize(size, _PILLOW[kernel], box)
    return alpha.straight(small)


def _simd(image: Image.Image, size: Size, box: Box, kernel: Filter, library: ModuleType) -> Image.Image:
    result = Image.new(image.mode, size, None)  # None: all pixels will be written
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
