"""One decode, many results: what comes out, how it is timed, and who is blamed."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imgsvc.errors import ImageCorrupt, ImageTooLargeForMemory, OutputTooLarge
from imgsvc.imaging import Clock, Limits, Rendered, picture, render
from imgsvc.pipeline import Grammar
from imgsvc.raster.orientation import Orientation
from tests import hostile, photos, profiles
from tests.photos import photo

LIMITS = Limits()


def run(source: bytes, *specs: str, clock: Clock | None = None, limits: Limits = LIMITS) -> list[Rendered]:
    grammar = Grammar(testing=True)
    return list(render(source, [(spec, grammar.parse(spec)) for spec in specs], limits, clock=clock))


def opened(result: Rendered) -> Image.Image:
    return Image.open(io.BytesIO(result.data))


def animation(format: str, frames: int = 4) -> bytes:
    file = io.BytesIO()
    pictures = [photos.picture(60, 40, seed=seed) for seed in range(frames)]
    durations = [50, 120, 200, 70][:frames]
    pictures[0].save(file, format, save_all=True, append_images=pictures[1:], duration=durations, loop=0)
    return file.getvalue()


def test_one_decode_gives_every_output_in_the_order_asked() -> None:
    clock = Clock()
    results = run(photo(), "thumbnail:32x32", "resize:80x/webp", "grayscale/png", clock=clock)
    assert [result.size for result in results] == [(32, 24), (80, 60), (160, 120)]
    assert [opened(result).format for result in results] == ["JPEG", "WEBP", "PNG"]
    assert [opened(result).size for result in results] == [result.size for result in results]
    assert [step.op for step in clock.steps].count("decode") == 1


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
def test_without_a_format_the_source_s_is_kept(format: str) -> None:
    (result,) = run(photo(format=format), "grayscale")
    assert opened(result).format == format


def test_the_empty_pipeline_only_encodes_again() -> None:
    (result,) = run(photo(format="PNG"), "")
    assert opened(result).convert("RGB").tobytes() == photos.picture().tobytes()


@pytest.mark.parametrize("ops", ["resize:40x", "grayscale", "flip", "crop:20x20", "jpeg", "pad:200x200"])
def test_every_step_is_timed_with_its_sizes(ops: str) -> None:
    clock = Clock()
    (result,) = run(photo(), ops, clock=clock)
    decode, *_, encode = clock.steps
    assert (decode.output, decode.op, decode.before) == (None, "decode", None)
    assert (encode.output, encode.op, encode.before, encode.after) == (
        ops,
        "encode",
        result.size,
        result.size,
    )
    assert all(step.wall_ms >= 0 and step.cpu_ms >= 0 and step.after for step in clock.steps)


def test_steps_are_told_as_they_begin() -> None:
    told: list[str] = []
    render(photo(), [("t", Grammar().parse("thumbnail/flip"))], LIMITS, progress=told.append)
    assert told == ["decode", "t: thumbnail", "t: flip", "t: encode"]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    "ops", ["png", "resize:50x/png", "flip/png", "resize:30x30,fit=cover,gravity=nw/png"]
)
def test_pictures_are_upright_first(ops: str, orientation: int) -> None:
    stored = photos.picture(64, 96 if orientation > 4 else 40)
    data = io.BytesIO()
    stored.save(data, "PNG", exif=hostile.exif(orientation))
    upright = io.BytesIO()
    Orientation(orientation).upright(stored).save(upright, "PNG")
    (turned,), (plain,) = run(data.getvalue(), ops), run(upright.getvalue(), ops)
    assert turned.size == plain.size
    apart = np.abs(np.asarray(opened(turned), np.int16) - np.asarray(opened(plain), np.int16))
    assert apart.max() <= 3, "the order of the two passes is all that may differ"


def test_orient_none_leaves_the_picture_as_it_is_stored() -> None:
    data = photo(60, 40, format="PNG", exif=hostile.exif(6))
    (result,) = run(data, "orient:none/png")
    assert opened(result).tobytes() == photos.picture(60, 40).tobytes()


def test_of_an_animation_every_frame_goes_through_every_operation() -> None:
    for source in ("GIF", "WEBP"):
        for target in ("gif", "webp"):
            (result,) = run(animation(source), f"resize:30x/grayscale/{target}")
            moving = opened(result)
            assert result.frames == getattr(moving, "n_frames", 1) == 4
            times = []
            for index in range(4):
                moving.seek(index)
                moving.load()
                times.append(moving.info["duration"])
                assert moving.size == (30, 20)
                red, green, blue = np.moveaxis(np.asarray(moving.convert("RGB"), np.int16), 2, 0)
                assert max(np.abs(red - green).max(), np.abs(green - blue).max()) <= 12
            assert times == [50, 120, 200, 70]
            assert moving.info["loop"] == 0


@pytest.mark.parametrize("to", ["gif", "webp"])
def test_frames_are_those_of_the_result_whose_encoder_joins_equal_ones(to: str) -> None:
    (result,) = run(animation("GIF"), f"brightness:0/{to}")
    assert result.frames == getattr(opened(result), "n_frames", 1) < 4


def test_a_still_format_shows_the_first_frame_and_says_so() -> None:
    still, moving = run(animation("GIF"), "thumbnail:30x30/jpeg", "thumbnail:30x30/webp")
    assert (still.frames, moving.frames) == (1, 4)
    assert "first of 4 frames" in still.warnings[0]
    assert not moving.warnings


SECRETS: dict[str, dict[str, Any]] = {
    "JPEG": {"comment": b"SECRET-COMMENT", "xmp": b"<x>SECRET-XMP</x>"},
    "PNG": {"pnginfo": hostile.png_text("SECRET-TEXT")},
    "WEBP": {"xmp": b"<x>SECRET-XMP</x>"},
    "AVIF": {"xmp": b"<x>SECRET-XMP</x>"},
}


@pytest.mark.parametrize("to", ["jpeg", "png", "webp", "gif", "avif"])
@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_no_metadata_gets_through(source: str, to: str) -> None:
    secret = Image.Exif()
    secret[0x010E] = "SECRET-DESCRIPTION"
    secret.get_ifd(0x8825)[1] = "N"
    data = photo(60, 40, format=source, exif=secret.tobytes(), icc_profile=profiles.wide(), **SECRETS[source])
    for ops in (to, f"thumbnail:20x20/{to}", f"flip/{to}"):
        (result,) = run(data, ops)
        assert b"SECRET" not in bytes(result.data)
        assert not {"exif", "xmp", "comment", "icc_profile"} & opened(result).info.keys()
        assert not opened(result).getexif()


def test_colours_become_srgb() -> None:
    data = photo(60, 40, format="PNG", icc_profile=profiles.wide())
    plain, converted = photos.picture(60, 40), run(data, "png")[0]
    assert opened(converted).tobytes() != plain.tobytes()
    for ops in ("thumbnail:30x30/png", "flip/resize:30x20/png", "crop:1.0/resize:30x/png"):
        small = np.asarray(opened(run(data, ops)[0]), np.int16)
        whole = np.asarray(opened(converted).resize((30, 20), Image.Resampling.LANCZOS), np.int16)
        whole = whole[::-1] if "flip" in ops else whole
        assert np.abs(small - whole).mean() < 1


def test_a_canvas_has_its_own_colour_whatever_the_profile() -> None:
    data = photo(60, 40, format="PNG", icc_profile=profiles.wide())
    (result,) = run(data, "resize:60x60,fit=pad,background=ff0000/png")
    assert opened(result).getpixel((0, 0)) == (255, 0, 0)


def test_cmyk_can_be_cropped_padded_and_blurred() -> None:
    file = io.BytesIO()
    photos.picture(64, 48, mode="RGBA").convert("RGB").convert("CMYK").save(
        file, "JPEG", icc_profile=profiles.cmyk()
    )
    for ops in (
        "thumbnail:32x32",
        "crop:20x20/blur",
        "resize:60x60,fit=pad",
        "flip",
        "border:3",
        "rotate:30",
        "",
    ):
        (result,) = run(file.getvalue(), ops)
        assert opened(result).mode == "RGB"


def test_what_is_to_be_kept_is_kept() -> None:
    rights = Image.Exif()
    rights[0x8298], rights[0x013B], rights[0x010F] = "(c) Ada", "Ada", "SECRET-CAMERA"
    data = photo(60, 40, exif=rights.tobytes(), icc_profile=profiles.wide())
    for to in ("jpeg", "png", "webp", "avif"):
        (result,) = run(data, f"keep:icc,copyright/resize:30x/{to}")
        made = opened(result)
        assert made.info["icc_profile"] == profiles.wide()
        assert dict(made.getexif()) == {0x8298: "(c) Ada", 0x013B: "Ada"}
    (result,) = run(data, "keep:icc/grayscale/png")
    assert opened(result).mode == "RGB", "gray would not go with a profile of RGB"


def test_a_profile_that_is_damaged_is_not_kept() -> None:
    (result,) = run(photo(60, 40, icc_profile=b"garbage" * 40), "keep:icc/jpeg")
    assert "icc_profile" not in opened(result).info


def test_the_output_at_fault_is_named() -> None:
    with pytest.raises(OutputTooLarge) as caught:
        run(photo(), "thumbnail", "resize:20000x20000,enlarge")
    assert caught.value.problem.output == "resize:20000x20000,enlarge"
    with pytest.raises(ImageTooLargeForMemory) as memory:
        run(photo(), "thumbnail", f"test-memory:{1 << 40}")
    assert memory.value.problem.output == f"test-memory:{1 << 40}"
    with pytest.raises(ImageCorrupt) as corrupt:
        run(photo()[:2000], "thumbnail")
    assert corrupt.value.problem.output is None


def test_a_failed_run_leaves_its_steps_behind() -> None:
    clock = Clock()
    with pytest.raises(ImageCorrupt):
        run(photo()[:2000], "thumbnail", clock=clock)
    assert [step.op for step in clock.steps] == ["decode"]


def test_a_picture_for_operations_is_upright_and_srgb() -> None:
    data = photo(60, 40, exif=hostile.exif(6), icc_profile=profiles.wide())
    made = picture(io.BytesIO(data), LIMITS)
    assert (made.mode, made.size) == ("RGB", (40, 60))


def test_a_file_is_as_good_as_bytes() -> None:
    targets = [("a", Grammar().parse("thumbnail:30x30"))]
    assert bytes(render(io.BytesIO(photo()), targets, LIMITS)[0].data) == bytes(
        render(photo(), targets, LIMITS)[0].data
    )


def test_a_quality_that_was_found_is_noted() -> None:
    clock = Clock()
    targets = [(ops, Grammar().parse(ops)) for ops in ("jpeg:auto", "webp:max_bytes=1000", "jpeg:60", "png")]
    render(photo(), targets, Limits(), clock=clock)
    notes = {step.output: step.note for step in clock.steps if step.op == "encode"}
    for found in ("jpeg:auto", "webp:max_bytes=1000"):
        assert re.fullmatch(r"quality [1-9][0-9]?", notes[found] or "")
    assert (notes["jpeg:60"], notes["png"]) == (None, None)


def test_what_can_not_be_as_small_as_asked_names_its_output() -> None:
    targets = [("a", Grammar().parse("png")), ("b", Grammar().parse("jpeg:max_bytes=10"))]
    with pytest.raises(OutputTooLarge) as refused:
        render(photo(), targets, Limits())
    problem = refused.value.problem
    assert (problem.output, problem.limit) == ("b", 10)
    assert problem.actual is not None
    assert problem.actual > 10
