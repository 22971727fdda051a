"""A worker's way with masters: read where one is kept, made and kept where none is."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image

from imgsvc.imaging import Limits
from imgsvc.masters import Kept, Wanted
from imgsvc.storage import Storage, connect
from imgsvc.worker import Outcome, Report, Target, Task, run
from tests.photos import photo

SOURCE, KEY = "images/ab/cd/source", "masters/ab/cd/its"
OPS = "resize:20x/png"


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    opened = connect(f"file://{tmp_path}/{uuid4().hex}")
    opened.put(SOURCE, photo(201, 151))
    return opened


def do(storage: Storage, *specs: str, wanted: Wanted | None, **more: Any) -> Report:  # noqa: ANN401  # Task's fields
    key = uuid4().hex
    targets = tuple(
        Target(name=f"o{n}", spec=spec, key=f"cache/{key}-{n}", stamped=True) for n, spec in enumerate(specs)
    )
    task = Task(
        **{"storage": storage.url, "source": SOURCE, "targets": targets, "limits": Limits(), "master": wanted}
        | more
    )
    answer = run(task.model_dump(mode="json"))
    assert json.loads(json.dumps(answer)) == answer, "a report is made of plain values"
    return Report.model_validate(answer)


def kept(report: Report) -> Kept:
    assert report.outcome is Outcome.SUCCEEDED, report.problem
    assert report.master is not None
    return report.master


def result(storage: Storage, report: Report) -> bytes:
    assert report.outcome is Outcome.SUCCEEDED, report.problem
    return storage.read(report.results[0].key)


def steps(report: Report) -> list[str]:
    return [step.op for step in report.steps]


def masters(storage: Storage) -> list[str]:
    return list(storage.keys("masters"))


@pytest.mark.parametrize(
    ("level", "source", "made"),
    [("8", photo(201, 151), ["decode"]), ("m128", photo(201, 151, format="PNG"), ["decode", "master"])],
)
def test_the_first_task_makes_and_keeps_a_master_and_the_next_one_reads_it(
    storage: Storage, level: str, source: bytes, made: list[str]
) -> None:
    storage.put("images/ab/cd/other", source)
    first = do(storage, OPS, wanted=Wanted(level=level, key=KEY), source="images/ab/cd/other")
    assert storage.size(kept(first).key) == kept(first).bytes
    assert masters(storage) == [kept(first).key]
    assert steps(first) == [*made, "resize", "encode", "store", *(["master"] if level == "8" else [])]
    # Not even the original is needed any more.
    second = do(storage, OPS, wanted=Wanted(level=level, at=kept(first).key, key=f"{KEY}2"), source="gone")
    assert result(storage, second) == result(storage, first)
    assert steps(second) == ["master", "resize", "encode", "store"]
    assert second.steps[0].before is None
    assert second.steps[0].after is not None
    assert second.master is None
    assert masters(storage) == [kept(first).key]


def test_a_jpegs_master_changes_no_byte_of_a_result(storage: Storage) -> None:
    direct = do(storage, "grayscale/resize:20x", wanted=None)
    made = do(storage, "grayscale/resize:20x", wanted=Wanted(level="4", key=KEY))
    read = do(storage, "grayscale/resize:20x", wanted=Wanted(level="4", at=kept(made).key))
    assert result(storage, direct) == result(storage, made) == result(storage, read)


def test_a_master_is_stamped_with_what_it_is(storage: Storage) -> None:
    key = kept(do(storage, OPS, wanted=Wanted(level="4", key=KEY))).key
    prefix, digest, format_, size = key.rsplit("-", 3)
    assert (prefix, format_, size) == (KEY, "master", "51x38")
    assert len(digest) == 64


def test_a_master_can_be_made_for_nobody(storage: Storage) -> None:
    report = do(storage, wanted=Wanted(level="2", key=KEY))
    assert kept(report).key in masters(storage)
    assert (steps(report), report.results) == (["decode", "master"], ())


def test_without_a_key_nothing_is_kept(storage: Storage) -> None:
    report = do(storage, OPS, wanted=Wanted(level="4"))
    assert (report.outcome, report.master, masters(storage)) == (Outcome.SUCCEEDED, None, [])


@pytest.mark.parametrize("content", [None, b"", b"none of it", b"imgsvc master 1\n000000002{}"])
def test_a_master_that_is_gone_or_broken_is_made_again(
    storage: Storage, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    if content is not None:
        storage.put("masters/ab/cd/bad", content)
    with caplog.at_level(logging.INFO):
        report = do(storage, OPS, wanted=Wanted(level="4", at="masters/ab/cd/bad", key=KEY))
    assert kept(report).key.startswith(KEY)
    assert steps(report)[:2] == ["master", "decode"]
    assert result(storage, report) == result(storage, do(storage, OPS, wanted=None))
    assert "a master could not be read" in caplog.text


def test_a_master_that_cannot_be_kept_harms_no_result(
    storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    folder = storage.path("masters")
    assert folder is not None
    folder.write_bytes(b"in the way")
    with caplog.at_level(logging.WARNING):
        report = do(storage, OPS, wanted=Wanted(level="4", key=KEY))
    assert (report.outcome, report.master) == (Outcome.SUCCEEDED, None)
    assert "a master could not be kept" in caplog.text


def test_a_task_that_is_done_again_finds_what_it_has_kept(storage: Storage) -> None:
    first, again = (do(storage, OPS, wanted=Wanted(level="4", key=KEY)) for _ in range(2))
    assert kept(again) == kept(first)
    assert masters(storage) == [kept(first).key]


def test_what_is_refused_is_refused_with_a_master_as_well(storage: Storage) -> None:
    master = kept(do(storage, OPS, wanted=Wanted(level="4", key=KEY)))
    for at in (None, master.key):
        for ops, limits, code in (
            (
                "resize:20x/resize:900x900,fit=fill,enlarge",
                Limits(max_output_pixels=800_000),
                "output-too-large",
            ),
            (OPS, Limits(max_side=200), "image-dimension-too-large"),
            (OPS, Limits(max_pixels=30_000), "image-too-many-pixels"),
        ):
            report = do(storage, ops, wanted=Wanted(level="4", at=at, key=f"{KEY}2"), limits=limits)
            assert report.outcome is Outcome.REFUSED
            assert report.problem is not None
            assert report.problem.code == code
    assert masters(storage) == [master.key]


def test_a_broken_image_leaves_no_master(storage: Storage) -> None:
    storage.put("images/ab/cd/broken", photo(201, 151)[:900])
    report = do(storage, OPS, wanted=Wanted(level="4", key=KEY), source="images/ab/cd/broken")
    assert report.outcome is Outcome.REFUSED
    assert report.problem is not None
    assert report.problem.code == "image-corrupt"
    assert masters(storage) == []


def test_an_image_that_was_cut_short_behind_our_back_is_our_fault(storage: Storage) -> None:
    report = do(storage, OPS, wanted=Wanted(level="4", key=KEY), source_bytes=9_999_999)
    assert report.problem is not None
    assert report.problem.code == "internal-error"


def test_what_a_master_gives_can_be_opened(storage: Storage) -> None:
    report = do(storage, "resize:20x/webp", wanted=Wanted(level="4", key=KEY))
    with Image.open(io.BytesIO(result(storage, report))) as image:
        assert (image.format, image.size) == ("WEBP", (20, 15))
