"""Which texts are keys: nothing that could leave the storage or hide in it."""

from __future__ import annotations

import re

_SEGMENT = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]{1,255}"
_KEY = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT}){{0,15}}")


def is_key(text: str) -> bool:
    """May this be a key?"""
    return _KEY.fullmatch(text) is not None


def check_key(key: str) -> str:
    """The key itself. Raises ValueError for anything that is not `[A-Za-z0-9._-]` segments joined by `/`."""
    if not is_key(key):
        raise ValueError(f"not a storage key: {key!r}")
    return key
