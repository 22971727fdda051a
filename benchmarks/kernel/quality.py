"""How near a result is to what a full decode gives."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image, ImageCms, ImageOps


def reference(data: bytes, size: tuple[int, int]) -> Image.Image:
    """The source decoded in full, upright, resampled with Pillow's Lanczos, in sRGB, on white."""
    source = Image.open(io.BytesIO(data))
    profile = source.info.get("icc_profile")
    image = ImageOps.exif_transpose(source)
    if image.mode == "RGBA":
        image = image.convert("RGBa").resize(size, Image.Resampling.LANCZOS).convert("RGBA")
        ground = Image.new("RGB", size, "white")
        ground.paste(image, mask=image.getchannel("A"))
        return ground
    image = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    if profile:
        srgb = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), srgb)
        assert converted is not None
        return converted
    return image


def decibels(data: bytes, result: bytes | memoryview) -> float:
    """PSNR of a result against the reference of its size."""
    made = Image.open(io.BytesIO(result)).convert("RGB")
    wanted = reference(data, made.size)
    error = np.asarray(made, dtype=np.float64) - np.asarray(wanted, dtype=np.float64)
    return 10 * math.log10(255**2 / max(float(np.mean(error**2)), 1e-9))
