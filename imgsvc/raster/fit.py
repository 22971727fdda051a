"""How a picture meets an asked size: contain, outside, fill, cover; sizes and boxes, no pixels."""

from __future__ import annotations

from imgsvc.raster.geometry import CENTER, Box, Gravity, Size, SizeSpec, half_up


def contain(size: Size, spec: SizeSpec, *, enlarge: bool = False) -> Size:
    """The largest size of the same ratio that fits in the asked one."""
    return _along(size, spec, enlarge=enlarge, inside=True)


def outside(size: Size, spec: SizeSpec, *, enlarge: bool = False) -> Size:
    """The smallest size of the same ratio that the asked one fits in."""
    return _along(size, spec, enlarge=enlarge, inside=False)


def fill(size: Size, spec: SizeSpec, *, enlarge: bool = False) -> Size:
    """The asked size, ratio or not; without `enlarge` no side gets longer than it was."""
    asked = spec.proportional(size)
    if enlarge:
        return asked
    if spec.width is None or spec.height is None:  # one side asked: the ratio is kept
        return asked if asked.fits(size) else size
    return Size(min(asked.width, size.width), min(asked.height, size.height))


def cover(size: Size, spec: SizeSpec, *, enlarge: bool = False) -> Size:
    """The asked size, or the largest of the asked ratio that the picture holds without `enlarge`."""
    asked = spec.proportional(size)
    if enlarge or asked.fits(size):
        return asked
    if asked.width * size.height >= asked.height * size.width:  # the width is what is short
        return Size(size.width, half_up(asked.height * size.width, asked.width))
    return Size(half_up(asked.width * size.height, asked.height), size.height)


def covering_box(size: Size, target: Size, gravity: Gravity = CENTER) -> Box:
    """The part of a picture of `size` that has the ratio of `target`: all of one side of it."""
    if target.width * size.height >= target.height * size.width:
        return gravity.box(size, size.width, size.width * target.height / target.width)
    return gravity.box(size, size.height * target.width / target.height, size.height)


def _along(size: Size, spec: SizeSpec, *, enlarge: bool, inside: bool) -> Size:
    """A size of the ratio of `size`, within or around the asked one."""
    asked = spec.proportional(size)
    if not spec.scale and spec.width is not None and spec.height is not None:
        flat = asked.width * size.height <= asked.height * size.width
        if flat == inside:
            asked = Size(asked.width, half_up(size.height * asked.width, size.width))
        else:
            asked = Size(half_up(size.width * asked.height, size.height), asked.height)
    return asked if enlarge or asked.fits(size) else size
