"""A cached file's name says all that there is to know of it, so that no record can disagree with the disk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from secrets import token_hex

_NAME = re.compile(
    r"(?P<image>[0-9a-f]{32})-(?P<digest>[0-9a-f]{64})-[0-9a-f]{8}"
    r"-(?P<sha256>[0-9a-f]{64})-(?P<format>[a-z0-9]{1,16})-(?P<width>[0-9]{1,6})x(?P<height>[0-9]{1,6})"
)
#: What a file takes at least, and a multiple of which it takes: blocks of common file systems.
_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a cache, as its name tells."""

    #: Where it is in the storage.
    key: str
    #: The image that it was made of.
    image: str
    #: What it is: the digest that it is asked for by, of everything that its bytes depend on.
    digest: str
    #: Of its bytes.
    sha256: str
    #: Its bytes' format: a name of our `formats` room, or that of whoever keeps something else.
    format: str
    width: int
    height: int
    #: How many bytes it has.
    bytes: int

    @property
    def charge(self) -> int:
        """Bytes that it takes of the disk."""
        return -(-self.bytes // _BLOCK) * _BLOCK


def cache_key(prefix: str, image: str, digest: str) -> str:
    """A fresh key below `prefix` for what was made of an image, to be stamped by its maker (`worker.stamp`).

    No two calls give the same, so no two writers meet in one file.
    """
    its = image.removeprefix("img_")
    return f"{prefix}/{its[:2]}/{its[2:4]}/{its}-{digest}-{token_hex(4)}"


def read(key: str, size: int) -> Entry | None:
    """The entry that a key names, None for what is no whole entry."""
    found = _NAME.fullmatch(key.rpartition("/")[2])
    if found is None:
        return None
    return Entry(
        key=key,
        image=f"img_{found['image']}",
        digest=found["digest"],
        sha256=found["sha256"],
        format=found["format"],
        width=int(found["width"]),
        height=int(found["height"]),
        bytes=size,
    )
