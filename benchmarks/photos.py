"""Photo-like sources for the benchmarks, made here: octaves of noise, an edge or two and sensor noise."""

from __future__ import annotations

import io
from functools import cache

from PIL import Image, ImageChops, ImageDraw

#: What a phone makes today: 12 megapixels.
PHONE = (4032, 3024)


def scene(size: tuple[int, int] = PHONE, *, noise: float = 9.0) -> Image.Image:
    """A picture whose spectrum falls like a photograph's, so that decoders and encoders work as hard."""
    channels = []
    for _ in range(3):
        channel = Image.new("L", size, 128)
        for octave in range(2, 9):
            cells = (max(1, size[0] >> octave), max(1, size[1] >> octave))
            layer = Image.effect_noise(cells, 8 * 1.35**octave).resize(size, Image.Resampling.BICUBIC)
            channel = ImageChops.add(channel, layer, 1.0, -128)
        channels.append(channel)
    picture = Image.merge("RGB", channels)
    draw = ImageDraw.Draw(picture)
    draw.ellipse([size[0] // 3, size[1] // 4, size[0] // 2, size[1] // 2], fill=(230, 90, 40))
    draw.line([0, size[1], size[0], size[1] // 3], fill=(20, 30, 40), width=max(2, size[0] // 90))
    grain = Image.effect_noise(size, noise)
    return Image.merge("RGB", [ImageChops.add(c, grain, 1.0, -128) for c in picture.split()])


@cache
def jpeg(
    size: tuple[int, int] = PHONE, *, quality: int = 80, noise: float = 9.0, progressive: bool = False
) -> bytes:
    """A photo-like JPEG; a phone's have 0.24 to 0.33 bytes per pixel (reference: security, section 3)."""
    file = io.BytesIO()
    scene(size, noise=noise).save(file, "JPEG", quality=quality, progressive=progressive)
    return file.getvalue()
