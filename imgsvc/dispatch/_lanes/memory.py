"""How much memory a process uses, where the system tells."""

from __future__ import annotations

import resource
from pathlib import Path

_PAGE = resource.getpagesize()


def resident(pid: int) -> int | None:
    """The resident bytes of a process (proc(5), statm)."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE
    except (OSError, IndexError):
        return None
