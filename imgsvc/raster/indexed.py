"""Pictures of few colours: every one of them kept where they are few, else the best few and dithering."""

from __future__ import annotations

import sys

from PIL import Image

#: Colours up to which a picture is a drawing: its flat parts must stay flat.
_DRAWING = 4096


def exact(image: Image.Image, most: int = 256) -> Image.Image | None:
    """The picture (L, LA, RGB, RGBA) as P, losing nothing; None where it has more than so many colours."""
    if image.getcolors(most) is None:
        return None
    full = image.convert("RGBA")
    pixels = memoryview(full.tobytes()).cast("I")
    numbers = {pixel: number for number, pixel in enumerate(dict.fromkeys(pixels))}
    indexed = Image.frombytes("P", image.size, bytes(map(numbers.__getitem__, pixels)))
    colours = [pixel.to_bytes(4, sys.byteorder) for pixel in numbers]
    alpha = image.mode.endswith("A")
    indexed.putpalette(
        b"".join(colour if alpha else colour[:3] for colour in colours), "RGBA" if alpha else "RGB"
    )
    return indexed


def few(image: Image.Image, most: int = 256) -> Image.Image:
    """A picture (L or RGB) of many colours as P of so many, as near as may be.

    A drawing gets the colours that it has most of. A photograph is dithered: it looks better than with any
    choice of colours without, and those of an octree, which are found twenty times as fast as others, are as
    good as theirs then (docs/performance.md).
    """
    colour = image.convert("RGB")
    if colour.getcolors(_DRAWING) is not None:
        return colour.quantize(most, Image.Quantize.MEDIANCUT)
    palette = colour.quantize(most, Image.Quantize.FASTOCTREE)
    return colour.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
