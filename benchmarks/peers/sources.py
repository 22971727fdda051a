"""The files that everybody gets: photographs or synthesised ones, each in many copies that differ."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from PIL import Image

from benchmarks import photos

#: Pixels that a photograph has at least.
_LARGE = 8_000_000
#: The size of a drawing.
_SCREEN = (3840, 2400)


class Kind(StrEnum):
    """What matters to a decoder."""

    BASELINE = "JPEG"
    PROGRESSIVE = "progressive JPEG"
    ALPHA = "PNG with alpha"
    WEBP = "WebP"


@dataclass(frozen=True)
class Source:
    """One picture."""

    name: str
    kind: Kind
    pixels: int
    data: bytes

    @property
    def title(self) -> str:
        """What it is, in words."""
        return f"{self.pixels / 1e6:.0f} MP {self.kind}"

    @property
    def suffix(self) -> str:
        """Of its files: thumbor goes by names."""
        return {Kind.ALPHA: ".png", Kind.WEBP: ".webp"}.get(self.kind, ".jpg")

    def copies(self, folder: Path, count: int) -> list[Path]:
        """So many files of the same picture and different bytes, written to `folder`.

        To a server that knows a file by its content or by its name, each is new. What differs stands behind
        the picture's end, where no decoder reads. All of them are in the page cache then, for everybody.
        """
        files = []
        for number in range(count):
            file = folder / f"{self.name}-{number}{self.suffix}"
            file.write_bytes(self.data + f"copy {number:08}".encode())
            files.append(file)
        return files


def photographs(folder: Path, *, quick: bool) -> list[Source]:
    """The large pictures of a folder, by kind; of a kind that is missing, a synthesised one."""
    found = [source for path in sorted(folder.iterdir()) if (source := _read(path))]
    there = {source.kind for source in found}
    found += [synthesised(kind) for kind in Kind if kind not in there]
    ordered = [source for kind in Kind for source in found if source.kind == kind]
    return list(_first_of_each(ordered)) if quick else ordered


def synthesised(kind: Kind) -> Source:
    """A picture like a photograph, made here."""
    if kind in (Kind.BASELINE, Kind.PROGRESSIVE):
        width, height = photos.PHONE
        data = photos.jpeg(progressive=kind is Kind.PROGRESSIVE)
        return Source(f"synthetic-{kind.name.lower()}", kind, width * height, data)
    picture = photos.scene(_SCREEN)
    file = io.BytesIO()
    if kind is Kind.WEBP:
        picture.save(file, "WEBP", quality=80, method=0)
    else:
        picture.putalpha(Image.radial_gradient("L").resize(picture.size))
        picture.save(file, "PNG", compress_level=1)
    return Source(f"synthetic-{kind.name.lower()}", kind, picture.width * picture.height, file.getvalue())


def _first_of_each(sources: list[Source]) -> Iterator[Source]:
    there = set[Kind]()
    for source in sources:
        if source.kind not in there:
            there.add(source.kind)
            yield source


def _read(path: Path) -> Source | None:
    with Image.open(path) as image:
        pixels = image.width * image.height
        kind = _kind(image)
    return Source(path.stem, kind, pixels, path.read_bytes()) if kind and pixels >= _LARGE else None


def _kind(image: Image.Image) -> Kind | None:
    match image.format:
        case "JPEG" | "MPO":
            return Kind.PROGRESSIVE if image.info.get("progressive") else Kind.BASELINE
        case "PNG" if image.mode == "RGBA":
            return Kind.ALPHA
        case "WEBP":
            return Kind.WEBP
    return None
