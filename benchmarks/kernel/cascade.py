"""What it costs in quality to make a size from another one: PSNR of a ladder and of single renders.

Both before they are encoded, against a full decode that is resampled at once. The worst width counts.
"""

from __future__ import annotations

import argparse
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.photos import jpeg
from imgsvc.imaging import Limits, render
from imgsvc.pipeline import Grammar

#: Far apart, and as close as common frameworks ask for.
SETS = ((1600, 1280, 960, 640, 320), (1920, 1600, 1200, 1080, 828, 750, 640, 384, 256))
WHOLE = Limits(reduce_gap=1e9)


def made(data: bytes, widths: Sequence[int], limits: Limits, *, ladder: bool) -> list[Image.Image]:
    """The picture in these widths: on one ladder, or each from a decode of its own."""
    targets = [(f"w{width}", Grammar().parse(f"resize:{width}x/png:0")) for width in widths]
    if ladder:
        found = render(data, targets, limits, groups=[[name for name, _ in targets]])
    else:
        found = tuple(render(data, [target], limits)[0] for target in targets)
    return [Image.open(io.BytesIO(each.data)).convert("RGB") for each in found]


def decibels(one: Image.Image, other: Image.Image) -> float:
    """PSNR; 99 for equal pictures."""
    error = np.asarray(one, dtype=np.float64) - np.asarray(other, dtype=np.float64)
    return min(99.0, 10 * math.log10(255**2 / max(float(np.mean(error**2)), 1e-9)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, help="a folder of photographs; else some are made")
    options = parser.parse_args()
    sources: Mapping[str, bytes] = {"made 12 MP": jpeg(), "made 12 MP, 92": jpeg(quality=92)}
    if options.photos:
        sources = {path.name: path.read_bytes() for path in sorted(options.photos.iterdir())}
    print("| source | widths | alone | in one job | apart from each other |")
    print("| --- | --- | ---: | ---: | ---: |")
    for name, data in sources.items():
        own = Image.open(io.BytesIO(data)).width
        for widths in ([width for width in group if width < own] for group in SETS):
            whole = made(data, widths, WHOLE, ladder=False)
            alone, together = (made(data, widths, Limits(), ladder=ladder) for ladder in (False, True))
            worst = [
                min(decibels(one, other) for one, other in zip(left, right, strict=True))
                for left, right in ((alone, whole), (together, whole), (together, alone))
            ]
            figures = " | ".join("equal" if each == 99.0 else f"{each:.1f}" for each in worst)
            print(f"| {name} | {len(widths)} | {figures} |")


if __name__ == "__main__":
    main()
