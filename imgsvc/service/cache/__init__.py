"""What can be made again, kept on disk as long as there is room for it."""

from __future__ import annotations

from imgsvc.service.cache.cache import Cache, Counts, Kept
from imgsvc.service.cache.names import Entry, cache_key

__all__ = ["Cache", "Counts", "Entry", "Kept", "cache_key"]
