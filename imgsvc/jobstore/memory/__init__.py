"""The job store without a disk: the same answers, gone with the process."""

from __future__ import annotations

from imgsvc.jobstore.memory.store import MemoryStore

__all__ = ["connect"]


def connect(url: str) -> MemoryStore:
    """Make the store of `memory:`, an empty one. Raises ValueError for anything behind the colon."""
    if url != "memory:":
        raise ValueError("a job store in memory takes no options: memory:")
    return MemoryStore()
