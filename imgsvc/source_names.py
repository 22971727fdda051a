"""What may be the name of a file or a folder below the folder of sources."""

from __future__ import annotations


def plain(name: bytes) -> bool:
    """May this be a name? Not hidden, which excludes the ways up, and no path by itself."""
    return not (name.startswith(b".") or name == b"" or b"\0" in name or b"\\" in name)
