"""The way of pixels into sRGB by the profile that came with them."""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from collections.abc import Callable

from PIL import Image, ImageCms

#: What brings a picture into sRGB; None where there is nothing to do.
Correction = Callable[[Image.Image], Image.Image]

#: The colour spaces of profiles, as their headers name them, by the mode of the pixels.
_SPACES = {"L": b"GRAY", "RGB": b"RGB ", "RGBA": b"RGB ", "CMYK": b"CMYK"}
#: A profile that moves no channel of a grid of colours by more than this many levels is sRGB.
_SAME = 1
#: What a damaged profile raises; it is then no profile.
_DAMAGED = (ImageCms.PyCMSError, OSError, ValueError, TypeError)
#: Characters of a profile's name that are told, and what is told of one without.
_LONGEST_NAME, _NAMELESS = 100, "unnamed"
#: Corrections kept; photographs come with a handful of profiles.
_KEPT = 32
_corrections: OrderedDict[tuple[bytes, str], Correction | None] = OrderedDict()


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The picture (L, LA, RGB, RGBA or CMYK) in sRGB: gray stays gray, CMYK becomes RGB.

    A profile that is damaged or made for other pixels is ignored; without one CMYK is converted
    as plain inverted RGB.
    """
    if profile and image.mode == "LA":
        gray, alpha = image.split()
        return Image.merge("LA", (to_srgb(gray, profile), alpha))
    correction = correction_for(profile, image.mode) if profile else None
    if correction is not None:
        return correction(image)
    return image.convert("RGB") if image.mode == "CMYK" else image


def embeddable(profile: bytes | None) -> bool:
    """Can a result carry the profile? It must be whole, and for gray or RGB: nothing else is made."""
    if profile is None or profile[16:20] not in {_SPACES["L"], _SPACES["RGB"]}:
        return False
    try:
        _transform(profile, "L" if profile[16:20] == _SPACES["L"] else "RGB")
    except _DAMAGED:
        return False
    return True


def name(profile: bytes | None) -> str | None:
    """How a profile calls itself, printable and short; None without one, or where it is damaged."""
    if profile is None:
        return None
    try:
        told = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except _DAMAGED:
        return None
    return "".join(filter(str.isprintable, told)).strip()[:_LONGEST_NAME] or _NAMELESS


def matches(image: Image.Image, profile: bytes) -> bool:
    """Is the profile for pixels of this mode (L, LA, RGB, RGBA)?"""
    return profile[16:20] == _SPACES[image.mode.removesuffix("A")]


def matching(image: Image.Image, profile: bytes) -> Image.Image:
    """The picture in a mode that the profile is for: gray becomes RGB for a profile of RGB."""
    if matches(image, profile) or image.mode not in {"L", "LA"}:
        return image
    return image.convert("RGBA" if image.mode == "LA" else "RGB")


def correction_for(profile: bytes, mode: str) -> Correction | None:
    """What brings pixels of `mode` with a profile into sRGB; None where there is nothing to do.

    Corrections are kept by the profile's hash: making one costs as much as a hundred thumbnails'
    worth of applying it.
    """
    if profile[16:20] != _SPACES.get(mode):
        return None
    key = (hashlib.sha256(profile).digest(), mode)
    if key in _corrections:
        _corrections.move_to_end(key)
        return _corrections[key]
    try:
        made = _make(profile, mode)
    except _DAMAGED:
        made = None
    _corrections[key] = made
    if len(_corrections) > _KEPT:
        _corrections.popitem(last=False)
    return made


def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform:
    return ImageCms.ImageCmsTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
        mode,
        "RGBA" if mode == "RGBA" else "RGB",
    )


def _make(profile: bytes, mode: str) -> Correction | None:
    transform = _transform(profile, mode)
    if mode == "L":  # lcms has no gray sRGB: gray maps to neutral RGB, of which one channel will do
        curve = transform.apply(Image.linear_gradient("L")).getchannel("G").crop((0, 0, 1, 256)).tobytes()
        return None if _close(curve, bytes(range(256))) else lambda image: image.point(list(curve))
    if mode != "CMYK":
        grid = _grid().convert(mode)
        if _close(grid.tobytes(), transform.apply(grid).tobytes()):
            return None
    return transform.apply


def _grid() -> Image.Image:
    """Colours all over the cube, 9 levels a channel."""
    levels = range(0, 257, 32)
    colours = bytes(min(level, 255) for r in levels for g in levels for b in levels for level in (r, g, b))
    return Image.frombytes("RGB", (27, 27), colours)


def _close(before: bytes, after: bytes) -> bool:
    return max(abs(b - a) for b, a in zip(before, after, strict=True)) <= _SAME
