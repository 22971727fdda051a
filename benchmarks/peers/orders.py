"""What is asked for: a width and a format, with a blur or a sharpening where there is one; and all rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from benchmarks.peers.sources import Kind, Source

#: Where the encoder has a quality, ours is asked for its default, and the others for what gives equal PSNR.
DEFAULTS = {"jpeg": 80, "webp": 80, "avif": 55}
#: sigma of the blur and of the sharpening, in pixels of the result.
BLUR, SHARPEN = 5, 1
_SHOWN = {"jpeg": "JPEG", "webp": "WebP", "avif": "AVIF", "png": "PNG"}


class Mode(StrEnum):
    """What the server knows of the file when it is asked."""

    #: It has never been asked for anything of this file.
    FIRST = "first"
    #: It has been asked for another width before.
    SEEN = "seen"
    #: It has been asked for the very same.
    HIT = "hit"


@dataclass(frozen=True)
class Order:
    """What is to be made of a file."""

    width: int
    format: str
    blur: int | None = None
    sharpen: int | None = None

    def values(self, quality: int | None) -> dict[str, str]:
        """For a template."""
        found = {"width": str(self.width), "format": self.format}
        if quality is not None and self.lossy:
            found["quality"] = str(quality)
        if self.blur is not None:
            found |= {"blur": str(self.blur), "radius": str(3 * self.blur)}
        if self.sharpen is not None:
            found["sharpen"] = str(self.sharpen)
        return found

    @property
    def lossy(self) -> bool:
        """Does its encoder have a quality?"""
        return self.format in DEFAULTS

    @property
    def plain(self) -> Order:
        """Without what is done to the pixels: what the quality is found with."""
        return replace(self, blur=None, sharpen=None)

    @property
    def needs(self) -> set[str]:
        """Places that a template must have: a quality may be missing, what changes the picture may not."""
        return self.values(None).keys() - {"radius"}

    @property
    def pipeline(self) -> str:
        """In our grammar."""
        done = [f"resize:{self.width}x"]
        done += [f"blur:{self.blur}"] if self.blur is not None else []
        done += [f"sharpen:1,sigma={self.sharpen}"] if self.sharpen is not None else []
        quality = f":{DEFAULTS[self.format]}" if self.lossy else ""
        return "/".join([*done, self.format + quality])

    def __str__(self) -> str:
        with_what = " blurred" * (self.blur is not None) + " sharpened" * (self.sharpen is not None)
        return f"{self.width} {_SHOWN[self.format]}{with_what}"


@dataclass(frozen=True)
class Row:
    """A line of the tables."""

    source: Source
    order: Order
    mode: Mode = Mode.FIRST

    @property
    def title(self) -> str:
        """What is made of what."""
        return f"{self.source.title} → {self.order}"


def rows(sources: Iterable[Source], *, quick: bool) -> Iterator[Row]:
    """All of them: what is read is varied in the JPEG rows, what is done in those of the first JPEG."""
    by_kind: dict[Kind, list[Source]] = {kind: [] for kind in Kind}
    for source in sources:
        by_kind[source.kind].append(source)
    photographs = by_kind[Kind.BASELINE] + by_kind[Kind.PROGRESSIVE]
    for source in photographs:
        yield from _each(source, *(Order(width, "jpeg") for width in (256, 800, 1600)), Order(800, "webp"))
    for source in photographs[:1]:
        yield from _each(source, Order(800, "avif"), Order(800, "png"))
        yield from _each(source, Order(800, "jpeg", blur=BLUR), Order(800, "jpeg", sharpen=SHARPEN))
    for source in by_kind[Kind.ALPHA]:
        yield from _each(source, Order(400, "png"), Order(400, "webp"))
    for source in by_kind[Kind.WEBP]:
        yield from _each(source, Order(800, "webp"))
    for source in photographs[:1] if quick else photographs:
        yield from _each(source, Order(256, "jpeg"), Order(800, "jpeg"), mode=Mode.SEEN)
    for source in photographs[:1]:
        yield from _each(source, Order(800, "jpeg"), mode=Mode.HIT)


def _each(source: Source, *orders: Order, mode: Mode = Mode.FIRST) -> Iterator[Row]:
    return (Row(source, order, mode) for order in orders)
