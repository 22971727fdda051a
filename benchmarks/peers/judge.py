"""How good results are, and which quality of each server makes its result as good as ours."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import ExifTags, Image

from benchmarks.kernel.quality import blurred, psnr, reference, shown
from benchmarks.peers.calibration import calibrate, equal
from benchmarks.peers.load import Client, WrongAnswer
from benchmarks.peers.orders import DEFAULTS, Order, Row
from benchmarks.peers.services import OURS, Service
from benchmarks.peers.sources import Source

#: Orientations from here on swap width and height.
_LYING = 5


@dataclass(frozen=True)
class Result:
    """What a server makes of an order."""

    bytes: int
    #: PSNR against the reference; None where there is no telling what the result should be.
    db: float | None
    #: Of its encoder; None for a format or a server without.
    quality: int | None
    #: Is it as good as ours, or lossless?
    equal: bool


class Judge:
    """Holds the references, and what has been found out."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._references: dict[tuple[str, Order, tuple[int, int]], Image.Image] = {}
        self._qualities: dict[tuple[str, Order, str], int] = {}

    def results(self, row: Row, file: Path, services: Sequence[Service]) -> dict[str, Result]:
        """What each server makes of a row, at a quality of its own; ours comes first and is the measure.

        Who answers with anything but the picture is left out, which is told; raises WrongAnswer where we do.
        """
        found: dict[str, Result] = {}
        for service in services:
            try:
                quality = self._quality(row.source, row.order.plain, file, service, services[0])
                made = _made(service, file, row.order, quality)
                _check(row.order, file, made)
            except WrongAnswer as error:
                if not found:
                    raise
                self._tell(f"without {service.name}: {error}")
                continue
            db = self.decibels(row.source, row.order, made)
            first = next(iter(found.values()), None)
            same = (
                not row.order.lossy or first is None or db is None or first.db is None or equal(db, first.db)
            )
            found[service.name] = Result(len(made), db, quality, same)
        return found

    def decibels(self, source: Source, order: Order, result: bytes) -> float | None:
        """Against a full decode and Lanczos; what sharpening should give, everybody sees differently."""
        if order.sharpen is not None:
            return None
        picture = shown(result)
        key = (source.name, Order(order.width, "", order.blur), picture.size)
        if key not in self._references:
            wanted = reference(source.data, picture.size)
            if order.blur is not None:
                wanted = blurred(wanted, order.blur)
            self._references[key] = wanted
        return psnr(picture, self._references[key])

    def _quality(
        self, source: Source, order: Order, file: Path, service: Service, ours: Service
    ) -> int | None:
        """Of the encoder of `service`, found with one picture and kept."""
        if not order.lossy or not service.template.can({"quality"}):
            return None
        if service.name == OURS:
            return DEFAULTS[order.format]
        key = (source.name, order, service.name)
        if key not in self._qualities:
            aim = self.decibels(source, order, _made(ours, file, order, DEFAULTS[order.format]))
            assert aim is not None

            def measure(quality: int) -> float:
                return self.decibels(source, order, _made(service, file, order, quality)) or 0.0

            self._qualities[key] = calibrate(aim, measure).quality
        return self._qualities[key]


def _made(service: Service, file: Path, order: Order, quality: int | None) -> bytes:
    client = Client(service.port)
    try:
        return client.get(service.path(file, order, quality), order.format)
    finally:
        client.close()


def _check(order: Order, file: Path, made: bytes) -> None:
    """Raises WrongAnswer for a picture of another size; a pixel of height is a matter of rounding."""
    with Image.open(file) as source, Image.open(io.BytesIO(made)) as result:
        width, height = source.size
        if source.getexif().get(ExifTags.Base.Orientation, 1) >= _LYING:
            width, height = height, width
        wanted = round(order.width * height / width)
        if result.width != order.width or abs(result.height - wanted) > 1:
            raise WrongAnswer(f"{result.width}x{result.height} and not {order.width}x{wanted}")
