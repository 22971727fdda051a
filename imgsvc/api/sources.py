"""Sources at the door: which file of the folder a link names, and whether it is signed."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from starlette.requests import Request

from imgsvc.api import names, signatures
from imgsvc.errors import NotFound, SignatureInvalid
from imgsvc.service import Found, Sources

_BEFORE = b"/r/@"
#: The first unix second that no HTTP date can tell.
_NO_DATE = 253_402_300_800


def named(request: Request) -> bool:
    """Does a render's link name a file, and not an image?"""
    found: str = request.path_params["image"]
    return found.startswith("@")


class SourceLink:
    """A link to a render of a file: bytes all through, for that is what names of files are.

    It is signed as it is written or as it is meant; the second needs to know where the file's name ends, and
    so a look at the folder.
    """

    def __init__(self, request: Request, given: Mapping[str, str]) -> None:
        """Raises SignatureInvalid for a link that does not say that it is signed, SignatureExpired."""
        self._request = request
        self._given = given
        written = unquote_to_bytes(request.scope["raw_path"])
        #: Slashes that were percent-encoded are slashes: no file has one in its name.
        self._steps = written.removeprefix(_BEFORE).split(b"/") if written.startswith(_BEFORE) else [b""]
        #: The unix second until which it is signed; None where it has no end or nobody has to sign.
        self.until: int | None = None
        self._checked = True
        try:
            self.until = signatures.of_render(request, given, [written])
        except SignatureInvalid:
            if not given.get("sig"):
                raise
            self._checked = False

    async def find(self, sources: Sources) -> tuple[Found, str]:
        """The file, and the pipeline as it is written. Raises NotFound, SignatureInvalid, SignatureExpired.

        Without a valid signature nobody learns what there is.
        """
        try:
            found = await sources.find(self._steps)
        except NotFound:
            self._check([])
            raise
        written = b"/".join(self._steps[found.used :]).decode(errors="replace")
        path = os.fsdecode(found.path)
        self._check(signatures.spellings(self._request, f"@{path}", written))
        return found, written

    def _check(self, paths: signatures.Paths) -> None:
        if not self._checked:
            self.until = signatures.of_render(self._request, self._given, paths)


def filename(found: Found) -> str | None:
    """The file's name, fit for showing."""
    return names.clean(found.path.rpartition(b"/")[2].decode(errors="replace"))


def modified_at(found: Found) -> int | None:
    """The unix second in which a file was changed; None where no date, or none that has been, tells it."""
    second = found.state.mtime_ns // 1_000_000_000
    return second if 0 <= second < _NO_DATE and second <= time.time() else None
