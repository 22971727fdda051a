"""Which format `auto` becomes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from imgsvc.formats.auto import Auto
from imgsvc.formats.avif import Avif
from imgsvc.pipeline import Grammar, Pipeline
from imgsvc.pipeline.negotiation import accepted, resolve

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
FIREFOX = "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"
OLD_FIREFOX = "image/webp,*/*"
SAFARI = "image/webp,image/avif,image/jxl,image/heic,image/heic-sequence,video/*;q=0.8,image/png,*/*;q=0.5"
OLD_SAFARI = "image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5"
JAVA = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"


def chosen(
    accept: str | None, *, alpha: bool = False, moves: bool = False, source: str = "jpeg", ops: str = "auto"
) -> str:
    pipeline = Grammar().parse(ops)
    resolved = resolve(pipeline, accept, has_alpha=alpha, source_format=source, moves=moves)
    assert not resolved.negotiates
    assert resolved.operations == pipeline.operations
    return resolved.text.rpartition("/")[2]


@pytest.mark.parametrize(
    ("accept", "opaque", "alpha", "moving"),
    [
        (None, "jpeg", "png", "gif"),
        ("", "jpeg", "png", "gif"),
        ("*/*", "jpeg", "png", "gif"),
        ("image/*", "jpeg", "png", "gif"),
        (CHROME, "avif", "avif", "webp"),
        (FIREFOX, "avif", "avif", "webp"),
        (SAFARI, "avif", "avif", "webp"),
        (OLD_FIREFOX, "webp", "webp", "webp"),
        (OLD_SAFARI, "jpeg", "png", "gif"),
        (JAVA, "jpeg", "png", "gif"),
        ("IMAGE/WEBP", "webp", "webp", "webp"),
        # Which is wanted most, by the most specific range that holds it.
        ("image/avif;q=0.5, image/*;q=0.8, */*;q=0.1", "jpeg", "png", "gif"),
        ("image/avif;q=0.9, image/webp, */*;q=0.8", "webp", "webp", "webp"),
        ("image/avif;q=0.7,image/webp;q=0.7,image/*;q=0.7", "avif", "avif", "webp"),
        ("image/webp;q=0.8,image/jpeg", "jpeg", "webp", "webp"),
        ("image/webp;Q=0.8;a=b,image/jpeg;q=0.9", "jpeg", "webp", "webp"),
        # What is refused.
        ("image/avif;q=0,image/webp;q=0.0,*/*", "jpeg", "png", "gif"),
        ("image/avif,image/avif;q=0.000,image/webp;q=0.9", "avif", "avif", "avif"),
        ("image/jpeg;q=0,image/*", "png", "png", "gif"),
        ("image/png;q=0,image/*", "jpeg", "jpeg", "gif"),
        ("image/gif;q=0,image/*", "jpeg", "png", "png"),
        ("image/gif", "gif", "gif", "gif"),
        ("image/jpeg", "jpeg", "jpeg", "jpeg"),
        ("image/png", "png", "png", "png"),
        ("image/avif", "avif", "avif", "avif"),
        ("image/*;q=0", "jpeg", "png", "gif"),
        ("text/html", "jpeg", "png", "gif"),
        ("*", "jpeg", "png", "gif"),
        # Empty members count for nothing.
        (",, image/webp ,;q=1", "jpeg", "png", "gif"),
        (",, image/webp ,,", "webp", "webp", "webp"),
        ('image/webp;note="a,b\\";q=0"', "webp", "webp", "webp"),
    ],
)
def test_a_client_gets_the_best_that_it_names(
    accept: str | None, opaque: str, alpha: str, moving: str
) -> None:
    assert chosen(accept) == opaque
    assert chosen(accept, alpha=True, source="png") == alpha
    assert chosen(accept, alpha=True, moves=True, source="gif") == moving


@pytest.mark.parametrize(
    "malformed",
    [
        "webp",
        "image/webp image/avif",
        "image/webp;q=2",
        "image/webp;q=1.1",
        "image/webp;q=-1",
        "image/webp;q=",
        "image/webp;q=high",
        "image/webp;q=0.5.5",
        'image/webp;a="b',
        "image/",
        "/webp",
        "image/webp, \x00",
        "image/wébp",
        "image/webp," * 1000,
        "image/webp; ; " + " " * 1000 + ";\t" * 400 + "@",
    ],
)
def test_what_is_malformed_counts_as_absent(malformed: str) -> None:
    assert accepted(malformed) == accepted(None) == {"*/*": 1.0}
    assert chosen(malformed) == "jpeg"


def test_an_animation_may_stay_in_its_own_format() -> None:
    assert chosen("image/avif,image/gif", moves=True, source="avif") == "avif"
    assert chosen("image/avif,image/gif", moves=True, source="gif") == "gif"
    assert chosen("*/*", moves=True, source="avif") == "gif"
    assert chosen("*/*", moves=True, source="webp") == "gif"


@pytest.mark.parametrize(
    ("ops", "alpha", "made"),
    [
        ("background:white/auto", True, "jpeg"),
        ("background:white/pad:9x9,background=transparent/auto", False, "png"),
        ("pad:9x9/auto", False, "jpeg"),
        ("pad:9x9,background=red/auto", True, "png"),
        ("resize:9x9,fit=pad,background=fff8/auto", False, "png"),
        ("resize:9x9,fit=pad,background=fff/auto", False, "jpeg"),
        ("resize:9x9,background=fff8/auto", False, "jpeg"),
        ("rotate:10,background=transparent/auto", False, "png"),
        ("rotate:10,background=black/auto", True, "jpeg"),
        ("rotate:90,background=black/auto", True, "png"),
        ("rotate:10/auto", False, "jpeg"),
        ("border:3,color=fff8/auto", False, "png"),
        ("border:3/auto", False, "jpeg"),
    ],
)
def test_alpha_is_what_the_result_may_have(ops: str, alpha: bool, made: str) -> None:
    assert chosen("*/*", ops=ops, alpha=alpha, source="png") == made


@pytest.mark.parametrize(
    ("accept", "made"),
    [
        (CHROME, "webp"),
        ("image/avif,*/*", "jpeg"),
        ("image/avif,image/png", "png"),
        ("image/avif,image/webp;q=0.1", "webp"),
        ("image/avif", "avif"),
        ("*/*", "jpeg"),
    ],
)
def test_what_is_slow_is_left_out_where_something_else_would_do(accept: str, made: str) -> None:
    pipeline = Grammar().parse("auto")
    chosen = resolve(pipeline, accept, has_alpha=False, source_format="jpeg", moves=False, slow=False)
    assert chosen.text == made


@pytest.mark.parametrize(
    ("accept", "made"),
    [
        ("image/avif", "avif:41"),
        ("image/webp", "webp:60"),
        ("*/*", "jpeg:60"),
        ("image/png", "png"),
        ("image/gif", "gif"),
    ],
)
def test_a_quality_is_on_the_scale_of_jpeg(accept: str, made: str) -> None:
    assert chosen(accept, ops="auto:60") == made


def test_the_usual_quality_is_usual_everywhere_and_better_is_better() -> None:
    def quality(asked: int) -> int:
        made = resolve(
            Pipeline((), Auto(quality=asked)),
            "image/avif",
            has_alpha=False,
            source_format="jpeg",
            moves=False,
        )
        assert isinstance(made.format, Avif)
        assert isinstance(made.format.quality, int)
        return made.format.quality

    assert quality(80) == Avif().quality
    assert (quality(1), quality(100)) == (1, 100)
    found = [quality(asked) for asked in range(1, 101)]
    assert found == sorted(found)


@pytest.mark.parametrize("ops", ["", "resize:3x3", "grayscale/webp:82"])
def test_what_does_not_negotiate_stays_as_it_is(ops: str) -> None:
    pipeline = Grammar().parse(ops)
    assert not pipeline.negotiates
    assert resolve(pipeline, "image/avif", has_alpha=True, source_format="gif", moves=True) is pipeline


def test_what_negotiates_has_no_encoder_yet() -> None:
    pipeline = Grammar().parse("auto")
    assert pipeline.negotiates
    with pytest.raises(ValueError, match="has not been chosen"):
        pipeline.encoder("jpeg")


def test_the_documentation_says_what_a_client_gets() -> None:
    page = (Path(__file__).parents[3] / "docs" / "renders.md").read_text("utf-8")
    (table,) = re.findall(r"^## What `auto` becomes\n\n(.*?)\n\n", page, re.MULTILINE | re.DOTALL)
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]
    assert len(rows) > 10
    for told, *names in rows:
        accepts: list[str | None] = [*re.findall(r"`([^`]+)`", told)]
        for accept in accepts + [None] * ("none at all" in told):
            got = [chosen(accept), chosen(accept, alpha=True), chosen(accept, moves=True, source="gif")]
            assert got == [name.lower() for name in names], accept
