"""An image's record and what its header tells: each from the other."""

from __future__ import annotations

from imgsvc import formats
from imgsvc.imaging.facts import Facts
from imgsvc.jobs import Image, image_id


def image_of(facts: Facts, digest: str, size: int, *, key: str, created_at: int) -> Image:
    """The image whose header tells these facts; raises KeyError for a format that there is not.

    `digest` is what its `size` bytes are known by, in hex; `created_at` counts milliseconds since the epoch.
    """
    return Image(
        id=image_id(digest),
        sha256=digest,
        key=key,
        bytes=size,
        format=facts.format,
        content_type=formats.registry()[facts.format].media_type,
        width=facts.width,
        height=facts.height,
        frames=facts.frames,
        has_alpha=facts.has_alpha,
        created_at=created_at,
    )


def facts_of(image: Image) -> Facts:
    """The facts of an image, as far as they are recorded: it counts as upright."""
    return Facts(
        format=image.format,
        width=image.width,
        height=image.height,
        frames=image.frames,
        has_alpha=image.has_alpha,
        # Nobody has recorded whether it is grey.
        pixel_bytes=4 if image.has_alpha else 1,
    )
