"""Still WebP pictures, decoded by libwebp straight into the picture's memory, smaller where that is wanted.

Pillow decodes every WebP as an animation of one frame: it is drawn on a canvas, which is copied to another,
from there to bytes and into the picture. The library is the very one that Pillow has loaded.
"""

from __future__ import annotations

import ctypes
import re
from functools import cache
from pathlib import Path

import PIL._webp  # noqa: F401  # loads it
from PIL import Image

from imgsvc.raster.geometry import Size
from imgsvc.raster.mapped import BYTES, mapped

#: A file that is mapped into this process and is libwebp, not one of the libraries beside it (mux, demux).
_LIBRARY = re.compile(r"(/\S*/libwebp[-.]\S*)$", re.MULTILINE)
#: WEBP_DECODER_ABI_VERSION of the structures below; a library of another major number refuses it.
_ABI = 0x0209
#: MODE_RGBA, and VP8_STATUS_OK.
_RGBA, _OK = 1, 0

_int, _uint, _size, _pointer = ctypes.c_int, ctypes.c_uint32, ctypes.c_size_t, ctypes.c_void_p


class _Features(ctypes.Structure):
    """WebPBitstreamFeatures (webp/decode.h of libwebp 1.x, as all below)."""

    _fields_ = (
        ("width", _int),
        ("height", _int),
        ("has_alpha", _int),
        ("has_animation", _int),
        ("format", _int),
        ("pad", _uint * 5),
    )


class _Packed(ctypes.Structure):
    """WebPRGBABuffer, the smaller half of a union."""

    _fields_ = (("pixels", _pointer), ("stride", _int), ("size", _size))


class _Planes(ctypes.Structure):
    """WebPYUVABuffer, the larger half."""

    _fields_ = (("planes", _pointer * 4), ("strides", _int * 4), ("sizes", _size * 4))


class _Buffers(ctypes.Union):
    _fields_ = (("packed", _Packed), ("planes", _Planes))


class _Output(ctypes.Structure):
    """WebPDecBuffer."""

    _fields_ = (
        ("colorspace", _int),
        ("width", _int),
        ("height", _int),
        ("is_external_memory", _int),
        ("u", _Buffers),
        ("pad", _uint * 4),
        ("private_memory", _pointer),
    )


class _Options(ctypes.Structure):
    """WebPDecoderOptions."""

    _fields_ = (
        ("bypass_filtering", _int),
        ("no_fancy_upsampling", _int),
        ("use_cropping", _int),
        ("crop", _int * 4),
        ("use_scaling", _int),
        ("scaled_width", _int),
        ("scaled_height", _int),
        ("use_threads", _int),
        ("dithering_strength", _int),
        ("flip", _int),
        ("alpha_dithering_strength", _int),
        ("pad", _uint * 5),
    )


class _Config(ctypes.Structure):
    """WebPDecoderConfig."""

    _fields_ = (("input", _Features), ("output", _Output), ("options", _Options))


def there() -> bool:
    """Can it be used here?"""
    return _library() is not None


def decode(data: bytes, size: Size, mode: str, *, scaled: bool = False) -> Image.Image | None:
    """The picture of a file with one frame, in mode RGB or RGBA; None where it is damaged or lacks memory.

    With `scaled` it is brought to `size` while it is decoded, each pixel the mean of those that it covers;
    else `size` is the file's own. Raises MemoryError, and LookupError where the library is not there.
    """
    library = _library()
    if library is None:
        raise LookupError("libwebp is not there")
    pixels = bytearray(size.pixels * BYTES[mode])
    place = (ctypes.c_char * len(pixels)).from_buffer(pixels)
    config = _Config()
    library.WebPInitDecoderConfigInternal(ctypes.byref(config), _ABI)
    config.output.colorspace, config.output.is_external_memory = _RGBA, 1
    packed = config.output.u.packed
    packed.pixels, packed.stride, packed.size = ctypes.addressof(place), size.width * BYTES[mode], len(pixels)
    if scaled:
        config.options.use_scaling = 1
        config.options.scaled_width, config.options.scaled_height = size
    if library.WebPDecode(data, len(data), ctypes.byref(config)) != _OK:
        return None
    if (config.output.width, config.output.height) != (size.width, size.height):
        return None  # it is not of the size that was said
    return mapped(mode, (size.width, size.height), pixels)


@cache
def _library() -> ctypes.CDLL | None:
    try:
        found = _LIBRARY.search(Path("/proc/self/maps").read_text("utf-8", "replace"))
        library = ctypes.CDLL(found[1] if found else "libwebp.so.7")
        library.WebPDecode.argtypes = (ctypes.c_char_p, _size, _pointer)
        config = _Config()
        fits = library.WebPInitDecoderConfigInternal(ctypes.byref(config), _ABI)
    except (OSError, AttributeError):
        return None
    return library if fits else None
