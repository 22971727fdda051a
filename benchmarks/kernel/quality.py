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
        return _on_white(image.convert("RGBa").resize(size, Image.Resampling.LANCZOS).convert("RGBA"))
    return _in_srgb(image.convert("RGB").resize(size, Image.Resampling.LANCZOS), profile)


def shown(result: bytes | memoryview) -> Image.Image:
    """A result as a browser shows it: in sRGB, on white."""
    image = Image.open(io.BytesIO(result))
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA"))
    return _in_srgb(image.convert("RGB"), image.info.get("icc_profile"))


def decibels(data: bytes, result: bytes | memoryview) -> float:
    """PSNR of a result against the reference of its size."""
    made = shown(result)
    return psnr(made, reference(data, made.size))


def psnr(one: Image.Image, other: Image.Image) -> float:
    """In dB, of all channels together."""
    error = np.asarray(one, dtype=np.float64) - np.asarray(other, dtype=np.float64)
    return 10 * math.log10(255**2 / max(float(np.mean(error**2)), 1e-9))


def blurred(image: Image.Image, sigma: float) -> Image.Image:
    """An exact Gaussian, the edges drawn out; what the libraries have instead are approximations of it."""
    reach = math.ceil(4 * sigma)
    weights = np.exp(-((np.arange(-reach, reach + 1) / sigma) ** 2) / 2)
    weights /= weights.sum()
    pixels = np.asarray(image, dtype=np.float32)
    for _ in range(2):  # down, and after a turn across
        drawn = np.pad(pixels, [(reach, reach), (0, 0), (0, 0)], mode="edge")
        total = np.zeros_like(pixels)
        for at, weight in enumerate(weights.astype(np.float32)):
            total += drawn[at : at + len(pixels)] * weight
        pixels = total.swapaxes(0, 1)
    return Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8))


def _on_white(image: Image.Image) -> Image.Image:
    ground = Image.new("RGB", image.size, "white")
    ground.paste(image, mask=image.getchannel("A"))
    return ground


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if not profile:
        return image
    srgb = ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), srgb)
    assert converted is not None
    return converted
