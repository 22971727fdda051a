"""Which quality `auto` finds and what that saves; how palettes look; how many encodings `max_bytes` takes.

    python -m benchmarks.kernel.found [--photos DIR] [--widths 256 800 1600] [--formats jpeg webp avif]

See benchmarks/kernel/README.md.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean

from PIL import Image, ImageStat
from PIL.ImageChops import difference

from benchmarks import photos
from imgsvc import formats
from imgsvc.errors import OutputTooLarge
from imgsvc.formats import Format, Picture
from imgsvc.raster import indexed
from imgsvc.raster.likeness import Likeness

Quantize = Image.Quantize
#: What is asked for, of what a fixed quality of 80 would have, in percent.
SHARES = (95, 90, 80, 70, 60, 50, 40, 30, 20, 10)


def encoded(encoder: Format, image: Image.Image) -> tuple[bytes, int | None, float]:
    """The file, the quality that was found, and CPU milliseconds."""
    file, began = io.BytesIO(), time.process_time()
    found = encoder.encode(Picture((image,)), file)
    return file.getvalue(), found, (time.process_time() - began) * 1000


def qualities(name: str, image: Image.Image) -> str:
    """What `auto` finds, against the default: quality, difference, kB, CPU ms."""
    kind, likeness = formats.registry()[name], Likeness(image)
    data, found, spent = encoded(kind.model_validate({"quality": "auto"}), image)
    usual, _, once = encoded(kind(), image)
    far, usually = (likeness.difference(Image.open(io.BytesIO(each))) for each in (data, usual))
    saved = 100 - 100 * len(data) / len(usual)
    return (
        f"{found} | {far:.3f} | {len(data) / 1000:.1f} | {spent:.1f} | "
        f"{usually:.3f} | {len(usual) / 1000:.1f} | {once:.1f} | {saved:.0f} %"
    )


def fits(name: str, image: Image.Image) -> Iterator[int]:
    """How many encodings each share of the bytes takes."""
    kind = formats.registry()[name]
    whole = len(encoded(kind(quality=80), image)[0])  # type: ignore[call-arg]  # lossy ones have it
    for share in SHARES:
        made: list[int] = []

        class Counting(kind):  # type: ignore[valid-type, misc]  # one of the lossy formats
            def _write(
                self, picture: Picture, file: io.BytesIO, quality: int, made: list[int] = made
            ) -> None:
                made.append(quality)
                super()._write(picture, file, quality)

        try:
            encoded(Counting(quality=80, max_bytes=whole * share // 100), image)
        except OutputTooLarge:
            continue
        yield len(made)


PALETTES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "ours": indexed.few,
    "median cut": lambda image: image.quantize(256, Quantize.MEDIANCUT),
    "median cut, dithered": lambda image: image.quantize(palette=image.quantize(256, Quantize.MEDIANCUT)),
    "largest coverage": lambda image: image.quantize(256, Quantize.MAXCOVERAGE),
    "octree": lambda image: image.quantize(256, Quantize.FASTOCTREE),
    "octree, dithered": lambda image: image.quantize(palette=image.quantize(256, Quantize.FASTOCTREE)),
}


def palettes(image: Image.Image) -> Iterator[str]:
    """What each way to 256 colours comes to: difference, error (rms), kB as PNG, CPU ms."""
    likeness = Likeness(image)
    for name, make in PALETTES.items():
        began = time.process_time()
        made = make(image)
        spent = (time.process_time() - began) * 1000
        file = io.BytesIO()
        made.save(file, "PNG", compress_level=3)
        shown = made.convert("RGB")
        error = mean(ImageStat.Stat(difference(image, shown)).rms)
        far = likeness.difference(shown)
        yield f"{name} | {far:.3f} | {error:.1f} | {file.tell() / 1000:.0f} | {spent:.0f}"


def sources(folder: Path | None) -> dict[str, Image.Image]:
    """The pictures, whole."""
    if folder is None:
        return {"synthetic": photos.scene((1600, 1200))}
    files = (file for file in sorted(folder.iterdir()) if file.suffix in {".jpg", ".png"})
    return {file.stem: Image.open(file).convert("RGB") for file in files}


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, help="a folder of pictures; without it one is synthesised")
    parser.add_argument("--widths", type=int, nargs="+", default=[256, 800, 1600])
    parser.add_argument("--formats", nargs="+", default=["jpeg", "webp", "avif"])
    options = parser.parse_args()
    for width in options.widths:
        for stem, source in sources(options.photos).items():
            image = source.copy()
            image.thumbnail((width, width), Image.Resampling.LANCZOS)
            image.info.clear()
            for name in options.formats:
                print(
                    f"| {stem} {image.width}x{image.height} | {name} | {qualities(name, image)} |", flush=True
                )
                if width == min(options.widths):
                    counted = list(fits(name, image))
                    print(f"max_bytes, {name}: {mean(counted):.1f} encodings, at most {max(counted)}")
            if width == sorted(options.widths)[len(options.widths) // 2]:
                for line in palettes(image):
                    print(f"| {stem} {image.width}x{image.height} | {line} |", flush=True)


if __name__ == "__main__":
    main()
