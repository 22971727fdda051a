"""Sizes, extents, gravity and boxes: arithmetic on rectangles, no pixels."""

from __future__ import annotations

from typing import NamedTuple


class Size(NamedTuple):
    """Width and height in whole pixels, each at least 1."""

    width: int
    height: int

    @property
    def pixels(self) -> int:
        """Width x height."""
        return self.width * self.height
