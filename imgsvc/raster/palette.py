"""The colours that a picture is made of, and how much of it each one is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, compress
from operator import mul

from PIL import Image

from imgsvc.raster.colour import Colour
from imgsvc.raster.light import Lab, oklab

#: Colours of a palette at most.
MOST = 8
#: Groups that pixels are sorted into first.
_GROUPS = 24
#: Colours nearer than this in Oklab are one: about twice what the eye just tells apart (0.02).
_NEAR = 0.04
#: What is less of the picture than this is left to the nearest colour.
_LEAST = 0.005
#: Pixels less opaque than this are not seen.
_SEEN = 128


@dataclass(frozen=True, slots=True)
class Share:
    """A colour, and the part of the visible pixels that it stands for, 0 to 1."""

    colour: Colour
    share: float


@dataclass(frozen=True)
class _Group:
    """Pixels of much the same colour: how many, and the sums of their channels."""

    count: int
    red: int
    green: int
    blue: int

    @property
    def mean(self) -> tuple[float, float, float]:
        """Their mean in sRGB."""
        return (self.red / self.count, self.green / self.count, self.blue / self.count)

    @cached_property
    def lab(self) -> Lab:
        """Their mean as the eye compares it."""
        return oklab(self.mean)

    def joined(self, other: _Group) -> _Group:
        """Both as one."""
        return _Group(
            self.count + other.count, self.red + other.red, self.green + other.green, self.blue + other.blue
        )


def visible(image: Image.Image) -> Image.Image | None:
    """The pixels of an RGBA picture that are at least half opaque, as RGB; None where there are none."""
    alpha = image.getchannel("A")
    seen = alpha.point([255 if level >= _SEEN else 0 for level in range(256)]).tobytes()
    if 0 not in seen:
        return image.convert("RGB")
    planes = [bytes(compress(image.getchannel(band).tobytes(), seen)) for band in "RGB"]
    if not planes[0]:
        return None
    return Image.merge("RGB", [Image.frombytes("L", (len(plane), 1), plane) for plane in planes])


def palette(image: Image.Image) -> tuple[Share, ...]:
    """The colours of an RGB picture, the most frequent first, 1 to MOST of them; the shares add up to 1.

    Pixels are sorted by median cut; then the two groups whose union blurs least (Ward's criterion, in Oklab)
    become one until no two are near each other, none is tiny and there are few enough.
    """
    groups = sorted(_merged(list(_groups(image))), key=lambda group: (-group.count, group.mean))
    total = sum(group.count for group in groups)
    return tuple(
        Share(Colour(*(int(level + 0.5) for level in group.mean)), group.count / total) for group in groups
    )


def average(image: Image.Image) -> Colour | None:
    """The mean of an RGBA picture in sRGB, weighted by alpha; None where nothing is visible."""
    weights = image.getchannel("A").tobytes()
    total = sum(weights)
    if not total:
        return None
    sums = (sum(map(mul, image.getchannel(band).tobytes(), weights)) for band in "RGB")
    return Colour(*((2 * found + total) // (2 * total) for found in sums))


def _groups(image: Image.Image) -> Iterator[_Group]:
    indices = image.quantize(_GROUPS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).tobytes()
    sums: dict[int, list[int]] = {index: [0, 0, 0, 0] for index in set(indices)}
    for index, red, green, blue in zip(indices, *(band.tobytes() for band in image.split()), strict=True):
        group = sums[index]
        group[0] += 1
        group[1] += red
        group[2] += green
        group[3] += blue
    return (_Group(*found) for found in sums.values())


def _merged(groups: list[_Group]) -> list[_Group]:
    least = _LEAST * sum(group.count for group in groups)
    while len(groups) > 1:
        apart, _, one, other = min(
            ((*_cost(one, other, least), one, other) for one, other in combinations(groups, 2)),
            key=lambda pair: pair[:2],
        )
        if apart and len(groups) <= MOST:
            break
        groups = [group for group in groups if group is not one and group is not other]
        groups.append(one.joined(other))
    return groups


def _cost(one: _Group, other: _Group, least: float) -> tuple[bool, float]:
    """Are both colours of their own, and what would joining them blur?"""
    apart = sum((a - b) ** 2 for a, b in zip(one.lab, other.lab, strict=True))
    fewer = min(one.count, other.count)
    return fewer >= least and apart >= _NEAR**2, apart * one.count * other.count / (one.count + other.count)
