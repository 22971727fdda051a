"""Masters: the same pixels when they are read as when they were made."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from imgsvc.imaging import Clock, Limits, master, render
from imgsvc.imaging.levels import Level, level, levels
from imgsvc.imaging.master import Broken, Master
from imgsvc.imaging.render import opened_source, prepared, render_reduced
from imgsvc.pipeline import Grammar, Pipeline
from tests import hostile, profiles
from tests.photos import photo

LIMITS = Limits()
RIGHTS = Image.Exif()
RIGHTS[0x8298] = "ours"
#: Longer than this are the test's pictures, which have masters therefore.
SIDE = 128
PIPELINES = (
    "resize:20x/png",
    "resize:20x15,fit=cover,gravity=ne/jpeg",
    "grayscale/flip/thumbnail:21x21/webp",
    "keep:icc,copyright/resize:30x/png",
    "resize:24x24,fit=pad,background=navy/blur/png",
)


def made(data: bytes, its: Level) -> Master:
    return master.make(opened_source(data, LIMITS), its, LIMITS, Clock())


def again(kept: Master) -> Master:
    """As it is read some other time."""
    return master.read(b"".join(master.written(kept)))


def rendered(its: Master, ops: str) -> bytes:
    outputs = prepared(its.origin, [("default", Grammar().parse(ops))], LIMITS)
    return bytes(render_reduced(its.image, outputs, Clock())[0].data)


def direct(data: bytes, ops: str) -> bytes:
    return bytes(render(data, [("default", Grammar().parse(ops))], LIMITS)[0].data)


def wanted(data: bytes, pipeline: Pipeline) -> Level | None:
    return level(opened_source(data, LIMITS).facts, pipeline, SIDE, LIMITS.reduce_gap)


JPEGS: dict[str, dict[str, Any]] = {
    "RGB": {},
    "L": {"mode": "L"},
    "CMYK": {"mode": "CMYK"},
    "progressive": {"progressive": True},
    "rights": {"exif": RIGHTS.tobytes()},
    "wide gamut": {"icc_profile": profiles.wide()},
    "gray with a profile": {"mode": "L", "icc_profile": profiles.gray()},
    "CMYK with a profile": {"mode": "CMYK", "icc_profile": profiles.cmyk()},
    **{f"orientation {number}": {"exif": hostile.exif(number)} for number in range(1, 9)},
}

OTHERS: dict[str, dict[str, Any]] = {
    **{
        f"PNG {mode}": {"format": "PNG", "mode": mode}
        for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "I;16")
    },
    **{f"WebP {mode}": {"format": "WEBP", "mode": mode, "lossless": True} for mode in ("RGB", "RGBA")},
    "orientation 6": {"format": "PNG", "exif": hostile.exif(6)},
    "wide gamut": {"format": "PNG", "icc_profile": profiles.wide()},
}


def written_as(options: dict[str, Any]) -> bytes:
    if options.get("mode") == "I;16":
        file = io.BytesIO()
        Image.linear_gradient("L").convert("I;16").resize((201, 151)).save(file, "PNG")
        return file.getvalue()
    return photo(201, 151, **options)


@pytest.mark.parametrize("ops", PIPELINES)
@pytest.mark.parametrize("kind", list(JPEGS))
def test_what_is_made_from_a_jpegs_master_is_what_is_made_from_the_jpeg(kind: str, ops: str) -> None:
    data = written_as(JPEGS[kind])
    its = wanted(data, Grammar().parse(ops))
    assert its is not None
    first = made(data, its)
    assert rendered(first, ops) == rendered(again(first), ops) == direct(data, ops)


@pytest.mark.parametrize("ops", PIPELINES)
@pytest.mark.parametrize("kind", list(OTHERS))
def test_it_makes_no_difference_whether_a_master_was_there(kind: str, ops: str) -> None:
    data = written_as(OTHERS[kind])
    its = Level(side=SIDE)
    first = made(data, its)
    assert first.size == its.size(first.origin.facts.size)
    assert rendered(first, ops) == rendered(again(first), ops)
    seen, wished = (Image.open(io.BytesIO(found)) for found in (rendered(first, ops), direct(data, ops)))
    assert (seen.size, seen.mode, seen.info.keys()) == (wished.size, wished.mode, wished.info.keys())


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_a_jpegs_master_is_the_decoders_own_reduction(scale: int) -> None:
    data = photo(201, 151)
    its = made(data, Level(scale))
    with Image.open(io.BytesIO(data)) as image:
        image.draft(None, (201 // scale, 151 // scale))
        assert its.image.tobytes() == image.tobytes()
    assert its.size == Level(scale).size(its.origin.facts.size)


def test_every_level_of_a_picture_can_be_made() -> None:
    for data in (photo(201, 151), photo(201, 151, format="PNG")):
        facts = opened_source(data, LIMITS).facts
        for its in levels(facts, SIDE):
            assert made(data, its).size == its.size(facts.size)


def test_what_is_known_of_the_file_comes_back() -> None:
    rights = Image.Exif()
    rights[0x0112], rights[0x8298] = 6, "ours"
    data = photo(201, 151, icc_profile=profiles.wide(), exif=rights.tobytes())
    first = made(data, Level(2))
    back = again(first)
    assert back.origin.facts == first.origin.facts
    assert back.origin.profile == first.origin.profile == profiles.wide()
    assert back.origin.copyright == first.origin.copyright
    assert b"ours" in (back.origin.copyright or b"")
    assert (back.size, back.image.mode) == (first.size, "RGB")


def test_the_bytes_that_were_read_are_not_written_to() -> None:
    data = b"".join(master.written(made(photo(201, 151), Level(2))))
    back, before = master.read(data), bytearray(data)
    back.image.putpixel((0, 0), (1, 2, 3))
    assert back.image.getpixel((0, 0)) == (1, 2, 3)
    assert data == before


def test_the_steps_say_what_was_decoded_and_what_was_made_smaller() -> None:
    for its, steps in ((Level(4), ["decode"]), (Level(side=SIDE), ["decode", "master"])):
        clock = Clock()
        master.make(opened_source(photo(201, 151), LIMITS), its, LIMITS, clock)
        assert [step.op for step in clock.steps] == steps
        assert clock.steps[-1].after == its.size(opened_source(photo(201, 151), LIMITS).facts.size)


WHOLE = b"".join(master.written(made(photo(201, 151), Level(4))))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        WHOLE[:10],
        WHOLE[:100],
        WHOLE[:-1],
        WHOLE + b"\0",
        b"imgsvc master 2\n" + WHOLE[16:],
        WHOLE.replace(b'"mode":"RGB"', b'"mode":"HSV"'),
        WHOLE[:16] + b"none of it" + WHOLE[26:],
        WHOLE[:25] + bytes(64) + WHOLE[89:],
        WHOLE.replace(b'"width":51', b'"width":52', 1),
        photo(201, 151),
    ],
)
def test_what_is_not_the_whole_of_a_master_is_refused(data: bytes) -> None:
    with pytest.raises(Broken):
        master.read(data)


def test_a_page_that_was_never_written_is_noticed() -> None:
    head, pixels = master.written(made(photo(400, 300), Level(2)))
    whole = head + pixels
    assert master.digest(head, pixels) == master.digest(whole)
    for start in range(0, len(whole) - 4096, 4096):
        assert master.digest(whole[:start] + bytes(4096) + whole[start + 4096 :]) != master.digest(whole)
    assert master.digest(whole[:-4096]) != master.digest(whole)
