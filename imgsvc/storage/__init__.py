"""Where bytes live: one file per URL scheme, each with `connect(url)`."""

from __future__ import annotations

from imgsvc import plugins
from imgsvc.storage._base import Shelves, Storage
from imgsvc.storage._rehearsal import Rehearsal

__all__ = ["Rehearsal", "Shelves", "Storage", "connect"]


def connect(url: str) -> Storage:
    """Open the storage that `url` names: `file:///data`.

    Raises LookupError for an unknown scheme and ValueError for a URL that its module refuses.
    """
    scheme, _, _ = url.partition(":")
    storage: Storage = plugins.load(__name__, scheme).connect(url)
    return storage
