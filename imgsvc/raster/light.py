"""sRGB levels as shares of light and back (IEC 61966-2-1), and as the eye compares them."""

from __future__ import annotations

from collections.abc import Sequence

#: Lightness 0 to 1, green to red, blue to yellow.
Lab = tuple[float, float, float]


def light(level: float) -> float:
    """The share of the light, 0 to 1, that an sRGB level of 0 to 255 stands for."""
    value = level / 255
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def level(light: float) -> int:
    """The sRGB level, 0 to 255 and rounded half up, of a share of the light; what is beyond is cut off."""
    value = min(max(light, 0.0), 1.0)
    curved = value * 12.92 if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
    return int(curved * 255 + 0.5)


def oklab(levels: Sequence[float]) -> Lab:
    """An sRGB colour (0 to 255 a channel) in Oklab (https://bottosson.github.io/posts/oklab)."""
    red, green, blue = (light(each) for each in levels)
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )
