"""Images whose stored bytes were lost behind the service's back, made good by an upload of the same."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress

from imgsvc.jobs import Image
from imgsvc.storage import Storage

_log = logging.getLogger(__name__)


def restore(storage: Storage, image: Image, read: Callable[[], bytes]) -> None:
    """Write an image's blob again where it is gone or has another size; `read` gives the same content.

    The same content means the same image: without this, a picture whose file was lost once could never be
    stored again.
    """
    try:
        found: int | None = storage.size(image.key)
    except FileNotFoundError:
        found = None
    if found == image.bytes:
        return
    _log.error("the stored file %s has %s bytes instead of %d", image.key, found, image.bytes)
    storage.delete(image.key)
    with suppress(FileExistsError):  # another upload of it was faster
        storage.put(image.key, read())
