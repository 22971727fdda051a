"""From an opened source to pixels: reduced where they are not needed, in few modes, without metadata."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image, ImageFile

from imgsvc import formats
from imgsvc.imaging.facts import Facts
from imgsvc.imaging.faults import translated
from imgsvc.imaging.limits import Limits, check_source
from imgsvc.imaging.source import Source
from imgsvc.pipeline import Pipeline
from imgsvc.raster.geometry import Size
from imgsvc.raster.mapped import BYTES, unwritten

#: Reductions that decoders make by themselves, libjpeg with SIMD.
SCALES = (8, 4, 2)
#: Modes that operations work on, and CMYK, which becomes RGB on the way into sRGB.
_MODES = frozenset({"L", "LA", "RGB", "RGBA", "CMYK"})
#: What other modes become; some of them with a transparent colour beside them.
_GIVES_ALPHA = {"L": "LA", "1": "LA", "P": "RGBA", "PA": "RGBA", "RGB": "RGBA"}
_GIVES = {"1": "L", "F": "L", "La": "LA", "RGBa": "RGBA"}


@dataclass(slots=True)
class Frame:
    """One frame, as stored; whoever uses it last takes it, so that its memory is free early."""

    image: Image.Image | None
    #: Milliseconds that it is shown.
    duration: int = 0

    def borrow(self) -> Image.Image:
        """The picture, for others to use as well."""
        if self.image is None:
            raise LookupError("the frame has been taken")
        return self.image

    def take(self) -> Image.Image:
        """The picture, for nobody else."""
        image, self.image = self.borrow(), None
        return image


def reduction(facts: Facts, pipelines: Sequence[Pipeline]) -> float:
    """How many times longer than any of the pipelines needs them the sides of a source are.

    Only operations that look the same on a smaller picture may come before the resize that makes
    the difference.
    """
    factors = (_reduction(p, facts.size if p.upright else facts.stored) for p in pipelines)
    return min(factors, default=1.0)


def _reduction(pipeline: Pipeline, size: Size) -> float:
    for operation in pipeline.operations:
        factor = operation.reduction(size)
        if factor > 1:
            return factor
        if not operation.scales:
            return 1.0
        size = operation.size_after(size)
    return 1.0


def decode(
    source: Source,
    limits: Limits,
    *,
    factor: float = 1.0,
    scale: int | None = None,
    all_frames: bool = False,
) -> Iterator[Frame]:
    """The frames of a source in L, LA, RGB, RGBA or CMYK, as stored; only the first unless asked.

    `factor` is how many times longer the sides are than they need be: a JPEG or a WebP is then decoded to a
    half, a quarter or an eighth, as far as `limits.reduce_gap` lets it, or to just this `scale`.
    """
    _reduce(source.image, scale or shrink(source.facts, factor / limits.reduce_gap))
    if source.facts.frames == 1 or not all_frames:
        yield Frame(_load(source, limits))
        return
    for index in range(source.facts.frames):
        yield _load_frame(source, index, limits)


def _load(source: Source, limits: Limits) -> Image.Image:
    image = source.image
    with translated(limits.max_pixels, lambda: _need(source)):
        if source.format.writes_all and image.mode in BYTES:
            image.im = unwritten(image.mode, image.size).im  # which it would make itself, and clear
        image.load()
        return _bare(_normal(image))


def _load_frame(source: Source, index: int, limits: Limits) -> Frame:
    image = source.image
    with translated(limits.max_pixels, lambda: _need(source)):
        image.seek(index)
        grown = Size(*image.size)
        if grown != source.facts.stored:  # a GIF's frame may reach over its canvas: it is cut off
            check_source(grown, source.facts.frames, limits)
        image.load()
        # A GIF's frames may differ in mode; those of a result must not.
        picture = image.convert("RGBA") if image.format == "GIF" else _normal(image.copy())
        if grown != source.facts.stored:
            picture = picture.crop((0, 0, *source.facts.stored))
        return Frame(_bare(picture), round(image.info.get("duration") or 0))


def shrink(facts: Facts, factor: float) -> int:
    """To which fraction of its sides a picture is decoded; they are `factor` times longer than need be."""
    return next((scale for scale in SCALES if scale <= factor), 1) if shrinks(facts) else 1


def shrinks(facts: Facts) -> bool:
    """Can a picture be decoded to a fraction of its sides?

    A WebP that moves is drawn frame by frame, and in one with alpha the colours of what is transparent would
    be mixed in.
    """
    if not formats.registry()[facts.format].shrinks or facts.frames > 1:
        return False
    return facts.format == "jpeg" or not facts.has_alpha


def _reduce(image: ImageFile.ImageFile, scale: int) -> None:
    """Have a picture decoded to a fraction of its size, where it can be."""
    if scale > 1:
        image.draft(None, (max(1, image.width // scale), max(1, image.height // scale)))


def _normal(image: Image.Image) -> Image.Image:
    """The picture in one of the modes that operations take."""
    mode = image.mode
    if mode in _GIVES_ALPHA and image.has_transparency_data:
        return image.convert(_GIVES_ALPHA[mode])
    if mode in _MODES:
        return image
    if mode.startswith("I"):
        # 16 bits a channel; Pillow's own conversion cuts off everything above 255.
        return image.point(lambda value: value * (1 / 257) + 0.5).convert("L")
    return image.convert(_GIVES.get(mode, "RGB"))


def _bare(image: Image.Image) -> Image.Image:
    """Without what Pillow would write into results: comments, EXIF, XMP, profiles, resolutions."""
    image.info.clear()
    return image


def _need(source: Source) -> int:
    return int(source.facts.size.pixels * source.format.decode_bytes_per_pixel)
