"""Pictures made for tests: as hard to compress as photographs, the same for the same arguments."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image


def picture(width: int = 160, height: int = 120, *, mode: str = "RGB", seed: int = 0) -> Image.Image:
    """Soft colours, a few edges and sensor noise."""
    random = np.random.default_rng(seed)
    x = np.linspace(0, 3, width)[None, :, None]
    y = np.linspace(0, 2, height)[:, None, None]
    phase = random.uniform(0, 6, (1, 1, 4))
    waves = 128 + 80 * np.sin(x * (1 + phase) + y) * np.cos(y * 2 + phase)
    edges = 30 * (((x * 2).astype(int) + (y * 2).astype(int)) % 2)
    noise = random.normal(0, 6, (height, width, 4))
    pixels = np.clip(waves + edges + noise, 0, 255).astype(np.uint8)
    made = Image.fromarray(pixels, "RGBA")
    return made if mode == "RGBA" else made.convert("RGB").convert(mode)


def photo(
    width: int = 160,
    height: int = 120,
    *,
    format: str = "JPEG",
    mode: str = "RGB",
    seed: int = 0,
    **options: Any,  # noqa: ANN401  # whatever Pillow's encoder takes
) -> bytes:
    """A file of such a picture; `options` go to Pillow's `save`."""
    file = BytesIO()
    picture(width, height, mode=mode, seed=seed).save(file, format, **options)
    return file.getvalue()
