"""What the record of an image tells of it, as a header tells it."""

from __future__ import annotations

from imgsvc.imaging.facts import Facts
from imgsvc.jobs import Image


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
