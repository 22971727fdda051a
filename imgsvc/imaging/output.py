"""One output in the making: frames through a pipeline's operations into a file."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from PIL.Image import Image
from PIL.Image import open as open_image

from imgsvc.errors import ImgsvcError
from imgsvc.formats import Format, Picture
from imgsvc.imaging import frames
from imgsvc.imaging.decode import Frame
from imgsvc.imaging.faults import working
from imgsvc.imaging.source import Origin
from imgsvc.imaging.steps import Clock
from imgsvc.operations import Context, Operation
from imgsvc.pipeline import Pipeline
from imgsvc.raster import icc
from imgsvc.raster.geometry import Gravity, Size
from imgsvc.raster.orientation import Orientation

#: Bytes a pixel that operations need beside the picture, roughly: a premultiplied copy, an intermediate.
_WORKING = 16


@dataclass(frozen=True, slots=True)
class Rendered:
    """One finished result."""

    name: str
    data: memoryview
    format: Format
    size: Size
    frames: int
    warnings: tuple[str, ...] = ()

    @property
    def media_type(self) -> str:
        """What the data is."""
        return self.format.media_type


@dataclass(slots=True)
class Place:
    """Where in its pipeline a picture is."""

    image: Image
    #: The size that it would have here on a full decode.
    size: Size
    #: How its pixels lie.
    orientation: Orientation
    #: The profile that its colours are still in.
    profile: bytes | None
    #: Is it in the colours that the result is to have?
    settled: bool

    def copy(self) -> Place:
        """The same place, from where someone else goes on."""
        return replace(self)

    def settle(self, image: Image) -> Image:
        """A picture made of this one, in sRGB where that is wanted; what was settled stays as it is."""
        if self.settled:
            return image
        self.settled = True
        return icc.to_srgb(image, self.profile)

    @property
    def seen(self) -> Size:
        """The size of the pixels in hand, upright."""
        return self.orientation.size(Size(*self.image.size))


class Output:
    """A pipeline on its way over a source's frames."""

    def __init__(self, name: str, pipeline: Pipeline, source: Origin, images: Mapping[str, Image]) -> None:
        self.name = name
        self.pipeline = pipeline
        self.format = pipeline.encoder(source.facts.format)
        #: Is it an animation?
        self.moves = source.facts.frames > 1 and self.format.animated
        self._source = source
        self._images = images
        self._kept = source.profile if "icc" in pipeline.keeps and icc.embeddable(source.profile) else None
        self._found: list[list[Gravity]] = [[] for _ in pipeline.operations]
        self._pictures: list[Image] = []
        self._durations: list[int] = []

    def __repr__(self) -> str:
        return f"<Output {self.name!r}: {self.pipeline}, {len(self._pictures)} frames>"

    @property
    def source_format(self) -> str:
        """A name of our `formats` room."""
        return self._source.facts.format

    def begin(self, frame: Frame, *, last: bool) -> Place:
        """Where a frame is before the first operation; `last`: nobody else needs it."""
        facts = self._source.facts
        image = frame.take() if last else frame.borrow()
        return Place(
            image,
            facts.size if self.pipeline.upright else facts.stored,
            facts.orientation if self.pipeline.upright else Orientation.UPRIGHT,
            self._source.profile,
            settled=self._kept is not None or (self._source.profile is None and image.mode != "CMYK"),
        )

    def advance(self, at: Place, clock: Clock, start: int = 0, stop: int | None = None) -> None:
        """Take a picture through the operations from `start` to `stop` (not included; None: to the last)."""
        chain = list(zip(self.pipeline.operations, self.pipeline.names(), strict=True))
        for index, (operation, name) in list(enumerate(chain))[start:stop]:
            need = at.size.pixels * _WORKING
            with self._blamed(), clock.step(name, self.name, index) as step, working(need):
                before = at.seen
                self._apply(operation, at, self._found[index])
                step.sees(before, at.seen)

    def finish(self, at: Place) -> Image:
        """The picture behind the last operation, as it will be encoded: in sRGB where wanted, upright."""
        with self._blamed(), working(at.size.pixels * _WORKING):
            at.image, at.orientation = at.orientation.upright(at.settle(at.image)), Orientation.UPRIGHT
        return at.image

    def add(self, picture: Image, duration: int) -> None:
        """Take in a finished frame, shown for so many milliseconds."""
        self._pictures.append(picture)
        self._durations.append(duration)

    def encode(self, clock: Clock) -> Rendered:
        """The result of the frames so far, which are let go."""
        first = self._pictures[0]
        size = Size(*first.size)
        file = io.BytesIO()
        need = int(size.pixels * self.format.encode_bytes_per_pixel)
        with self._blamed(), clock.step("encode", self.name) as step, working(need):
            step.sees(size, size)
            if (quality := self.format.encode(self._picture(), file)) is not None:
                step.note = f"quality {quality}"
        count = self._count(file) if self.moves else 1
        self._pictures.clear()
        return Rendered(self.name, file.getbuffer(), self.format, size, count, tuple(self._warnings()))

    def _count(self, file: io.BytesIO) -> int:
        """The frames of the result: encoders join equal ones that follow each other."""
        return frames.count(open_image(file, formats=self.format.pillow), file, len(self._pictures))

    def _picture(self) -> Picture:
        pictures, profile = self._pictures, self._kept
        if profile is not None:
            pictures = [icc.matching(picture, profile) for picture in pictures]
            profile = profile if icc.matches(pictures[0], profile) else None
        for picture in pictures:
            picture.info.clear()
        return Picture(
            frames=tuple(pictures),
            durations=tuple(self._durations) if self.moves else (),
            loop=self._source.plays if self.moves else None,
            icc=profile,
            exif=self._source.copyright if "copyright" in self.pipeline.keeps else None,
        )

    def _apply(self, operation: Operation, at: Place, found: list[Gravity]) -> None:
        """One operation; what it needs upright or in sRGB is made so as late, thus as small, as may be."""
        if not operation.native:
            at.image = at.settle(at.image)
        if not operation.turns:
            at.image, at.orientation = at.orientation.upright(at.image), Orientation.UPRIGHT
        context = Context(
            size=at.size, orientation=at.orientation, settle=at.settle, found=found, images=self._images
        )
        at.image, at.orientation = operation.apply(at.image, context), Orientation.UPRIGHT
        if operation.reduction(at.size) > 1:
            at.image = at.settle(at.image)
        at.size = operation.size_after(at.size)

    def _warnings(self) -> Iterator[str]:
        total = self._source.facts.frames
        if total > 1 and not self.moves:
            yield f"{self.name}: shows the first of {total} frames; the format has no animation"

    @contextmanager
    def _blamed(self) -> Iterator[None]:
        """Name this output in what is refused."""
        try:
            yield
        except ImgsvcError as error:
            error.problem = error.problem.model_copy(update={"output": self.name})
            raise
