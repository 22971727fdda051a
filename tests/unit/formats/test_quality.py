"""The least quality that looks the same, and the best that fits."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import BinaryIO

import pytest
from PIL import Image
from pydantic import ValidationError

from imgsvc.errors import InvalidOperation, OutputTooLarge
from imgsvc.formats import Picture
from imgsvc.formats import _quality as quality_room
from imgsvc.formats.avif import Avif
from imgsvc.formats.jpeg import Jpeg
from imgsvc.formats.webp import Webp
from imgsvc.pipeline import Grammar
from imgsvc.raster.likeness import Likeness
from tests.photos import picture

Lossy = Jpeg | Webp | Avif
LOSSY = [Jpeg, Webp, Avif]
every = pytest.mark.parametrize("kind", LOSSY)


class Encoder:
    """Writes files of a known size that look so and so, and remembers at which qualities."""

    def __init__(
        self, size: Callable[[int], int] = lambda quality: quality, kind: type[Lossy] = Jpeg
    ) -> None:
        self.asked: list[int] = []
        self._size = size
        self._kind = kind

    def sized(self, _: Picture, file: BinaryIO, quality: int) -> None:
        """A file of the size for this quality."""
        self.asked.append(quality)
        file.write(b"x" * self._size(quality))

    def real(self, picture: Picture, file: BinaryIO, quality: int) -> None:
        """What the format makes of it."""
        self.asked.append(quality)
        self._kind(quality=quality).encode(picture, file)


SCALE = quality_room.Scale(usual=70, least=40, most=95, power=1.25)


def encoded(format: Lossy, image: Image.Image) -> tuple[bytes, int | None]:
    file = io.BytesIO()
    found = format.encode(Picture((image,)), file)
    return file.getvalue(), found


def difference(image: Image.Image, data: bytes) -> float:
    return Likeness(image).difference(Image.open(io.BytesIO(data)))


def soft(width: int, height: int) -> Image.Image:
    """Easy to compress."""
    return picture(max(8, width // 8), max(8, height // 8)).resize((width, height), Image.Resampling.BICUBIC)


# -- the least that looks the same ----------------------------------------------------------------


@every
@pytest.mark.parametrize("size", [(320, 240), (900, 700)])
@pytest.mark.parametrize("make", [picture, soft])
def test_it_looks_the_same_and_less_would_not(
    kind: type[Lossy], size: tuple[int, int], make: Callable[[int, int], Image.Image]
) -> None:
    image = make(*size)
    data, found = encoded(kind(quality="auto"), image)
    assert found is not None
    small = size == (320, 240)
    # A larger one is measured by a sample.
    assert difference(image, data) <= quality_room.LOOKS_THE_SAME * (1 if small else 1.15)
    if found > 40:
        less = encoded(kind(quality=max(1, found - 15)), image)[0]
        assert difference(image, less) > quality_room.LOOKS_THE_SAME * 0.85


@every
def test_an_easy_picture_takes_less_than_a_hard_one(kind: type[Lossy]) -> None:
    easy, hard = (
        encoded(kind(quality="auto"), soft(320, 240))[1],
        encoded(kind(quality="auto"), picture(320, 240))[1],
    )
    assert easy is not None
    assert hard is not None
    assert easy < hard


@every
@pytest.mark.parametrize(
    "image", [picture(320, 240), soft(320, 240), picture(900, 700), Image.new("RGB", (99, 99))]
)
def test_it_takes_at_most_three_encodings(kind: type[Lossy], image: Image.Image) -> None:
    encoder, file = Encoder(kind=kind), io.BytesIO()
    found = quality_room.write(Picture((image,)), file, encoder.real, SCALE, "auto", None)
    assert len(encoder.asked) <= 3
    assert encoded(kind(quality=found), image)[0] == file.getvalue()


def test_of_a_large_picture_only_the_result_is_encoded_whole() -> None:
    sizes = []

    def write(shown: Picture, file: BinaryIO, quality: int) -> None:
        sizes.append(shown.frames[0].size)
        Jpeg(quality=quality).encode(shown, file)

    quality_room.write(Picture((picture(1200, 900),)), io.BytesIO(), write, SCALE, "auto", None)
    assert sizes[-1] == (1200, 900)
    assert 2 <= len(sizes) <= 3
    assert all(width * height <= 1200 * 900 / 4 for width, height in sizes[:-1])


@pytest.mark.parametrize("size", [(1, 1), (15, 900), (900, 15)])
def test_what_is_too_small_to_be_measured_gets_the_usual(size: tuple[int, int]) -> None:
    data, found = encoded(Jpeg(quality="auto"), picture(*size))
    assert found is not None
    assert data == encoded(Jpeg(quality=found), picture(*size))[0]


@pytest.mark.parametrize("size", [(2000, 16), (300, 2000)])
def test_a_strip_is_measured_whole(size: tuple[int, int]) -> None:
    image = picture(*size)
    assert difference(image, encoded(Jpeg(quality="auto"), image)[0]) <= quality_room.LOOKS_THE_SAME


def test_other_parameters_count() -> None:
    image = picture(320, 240)
    made = Image.open(io.BytesIO(encoded(Jpeg(quality="auto", progressive=True), image)[0]))
    assert made.info["progressive"]
    assert encoded(Jpeg(), image)[1] is None


# -- the best that fits ---------------------------------------------------------------------------

STEEP: dict[str, Callable[[int], int]] = {
    "line": lambda quality: quality * 100,
    "square": lambda quality: quality * quality,
    "wall": lambda quality: 100 if quality < 50 else 100_000 + quality,
    "late": lambda quality: round(1e5 / (101 - quality)),
    "flat": lambda quality: 1000 + quality // 10,
}


@pytest.mark.parametrize("shape", STEEP)
@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
@pytest.mark.parametrize("above", [80, 100])
def test_the_largest_that_fits_is_found(shape: str, share: float, above: int) -> None:
    size = STEEP[shape]
    most = round(size(1) + (size(above) - size(1)) * share)
    encoder, file = Encoder(size), io.BytesIO()
    found = quality_room.write(Picture((picture(),)), file, encoder.sized, SCALE, above, most)
    assert found is not None
    assert len(encoder.asked) <= 9
    assert found == max(quality for quality in range(1, above + 1) if size(quality) <= most)
    assert len(file.getvalue()) == size(found) <= most


def test_what_fits_at_once_is_encoded_once() -> None:
    encoder, file = Encoder(), io.BytesIO()
    assert quality_room.write(Picture((picture(),)), file, encoder.sized, SCALE, 80, 80) == 80
    assert encoder.asked == [80]


def test_what_can_not_fit_is_refused_with_what_it_would_be() -> None:
    encoder = Encoder(lambda quality: 1000 + quality)
    with pytest.raises(OutputTooLarge, match="1001 bytes at the lowest quality, 1000 are allowed") as refused:
        quality_room.write(Picture((picture(),)), io.BytesIO(), encoder.sized, SCALE, 80, 1000)
    assert (refused.value.problem.limit, refused.value.problem.actual) == (1000, 1001)
    fits = io.BytesIO()
    assert quality_room.write(Picture((picture(),)), fits, encoder.sized, SCALE, 80, 1001) == 1


@every
def test_the_lowest_quality_may_be_the_limit(kind: type[Lossy]) -> None:
    image = picture()
    least = len(encoded(kind(quality=1), image)[0])
    assert len(encoded(kind(max_bytes=least), image)[0]) == least
    with pytest.raises(OutputTooLarge):
        encoded(kind(max_bytes=least - 1), image)
    with pytest.raises(OutputTooLarge):
        encoded(kind(quality=1, max_bytes=least - 1), image)


@every
def test_quality_is_the_most_that_max_bytes_takes(kind: type[Lossy]) -> None:
    image = picture()
    plain = encoded(kind(), image)[0]
    assert encoded(kind(max_bytes=len(plain)), image)[0] == plain
    assert encoded(kind(quality=30, max_bytes=10**6), image)[0] == encoded(kind(quality=30), image)[0]


@every
def test_both_may_be_asked_for(kind: type[Lossy]) -> None:
    image = picture(320, 240)
    data, found = encoded(kind(quality="auto"), image)
    assert found is not None
    assert encoded(kind(quality="auto", max_bytes=len(data)), image) == (data, found)
    less, lower = encoded(kind(quality="auto", max_bytes=len(data) - 1), image)
    assert lower is not None
    assert (len(less) < len(data), lower < found) == (True, True)


# -- how they are written -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "canonical", "json"),
    [
        ("jpeg:auto", "jpeg:auto", {"op": "jpeg", "quality": "auto"}),
        (
            "jpeg:q=auto,progressive",
            "jpeg:auto,progressive",
            {"op": "jpeg", "quality": "auto", "progressive": True},
        ),
        ("webp:80,max_bytes=20000", "webp:max_bytes=20000", {"op": "webp", "max_bytes": 20000}),
        ("avif:auto,max_bytes=1", "avif:auto,max_bytes=1", {"op": "avif", "quality": "auto", "max_bytes": 1}),
        ("auto:auto,max_bytes=9", "auto:auto,max_bytes=9", {"op": "auto", "quality": "auto", "max_bytes": 9}),
    ],
)
def test_the_grammar_knows_them(text: str, canonical: str, json: dict[str, object]) -> None:
    pipeline = Grammar().parse(text)
    assert pipeline.text == canonical
    assert pipeline.json() == [json]
    assert Grammar().load([json]) == pipeline


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("jpeg:high", "1 to 100 or auto"),
        ("jpeg:0", "1 to 100 or auto"),
        ("webp:101", "1 to 100 or auto"),
        ("avif:8.5", "1 to 100 or auto"),
        ("jpeg:max_bytes=0", "1 to 1073741824"),
        ("jpeg:max_bytes=auto", "1 to 1073741824"),
    ],
)
def test_what_is_out_of_bounds_is_told(text: str, allowed: str) -> None:
    with pytest.raises(InvalidOperation) as refused:
        Grammar().parse(text)
    (fault,) = refused.value.problem.errors
    assert fault.allowed == allowed
    assert allowed in fault.detail


@pytest.mark.parametrize("asked", [{"quality": "auto"}, {"max_bytes": 1000}])
def test_lossless_has_no_quality_to_find(asked: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="lossless keeps every bit"):
        Webp.model_validate({"lossless": True, **asked})
