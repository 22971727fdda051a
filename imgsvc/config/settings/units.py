"""What defaults are counted in: bytes and seconds."""

from __future__ import annotations

MIB = 2**20
GIB = 2**30
DAY = 86400.0
