"""Task to report: from storage to storage, never an exception, every step told."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import pickle
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image

from imgsvc.errors import InsufficientStorage, StorageUnavailable
from imgsvc.imaging import Limits
from imgsvc.masters import Wanted
from imgsvc.raster import memory
from imgsvc.storage import Storage, connect
from imgsvc.worker import Kind, Outcome, Report, Target, Task, judge, run
from tests.photos import photo

SOURCE = "images/ab/cd/source"


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    opened = connect(f"file://{tmp_path}/{uuid4().hex}")
    opened.put(SOURCE, photo(320, 240))
    return opened


def do(
    storage: Storage,
    *specs: str,
    told: list[str] | None = None,
    key: str = "results/ab/cd/",
    **more: Any,  # noqa: ANN401  # Task's fields
) -> Report:
    targets = tuple(Target(name=f"o{n}", spec=spec, key=f"{key}{n}") for n, spec in enumerate(specs))
    task = Task(**{"storage": storage.url, "source": SOURCE, "targets": targets, "limits": Limits(), **more})
    answer = run(task.model_dump(mode="json"), None if told is None else told.append)
    assert json.loads(json.dumps(answer)) == answer, "a report is made of plain values"
    assert len(pickle.dumps(answer)) < 4096, "a pipe takes it at once"
    return Report.model_validate(answer)


def test_a_task_ends_with_its_results_in_the_storage(storage: Storage) -> None:
    report = do(storage, "thumbnail:64x64", "resize:100x/webp:50")
    assert report.outcome is Outcome.SUCCEEDED
    assert report.problem is None
    for result, size, name in zip(report.results, [(64, 48), (100, 75)], ["JPEG", "WEBP"], strict=True):
        data = storage.read(result.key)
        assert (result.width, result.height) == size == Image.open(io.BytesIO(data)).size
        assert result.content_type == Image.MIME[name]
        assert result.bytes == len(data)
        assert result.sha256 == hashlib.sha256(data).hexdigest()
        assert result.frames == 1


@pytest.mark.parametrize("more", [{}, {"master": Wanted(level="8")}], ids=["original", "master"])
@pytest.mark.parametrize(("less", "is_told"), [(0, True), (1, False)])
def test_a_small_result_is_in_the_report_too(
    storage: Storage, more: dict[str, Any], less: int, is_told: bool
) -> None:
    (result,) = do(storage, "resize:20x").results
    report = do(storage, "resize:20x", key="results/ab/cd/again", tell_bytes=result.bytes - less, **more)
    assert report.outcome is Outcome.SUCCEEDED
    data = storage.read(report.results[0].key)
    assert report.told == (data if is_told else None)
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_results_that_nobody_waits_for_are_not_in_the_report(storage: Storage) -> None:
    assert do(storage, "resize:20x").told is None
    assert do(storage, "resize:20x", "resize:30x", key="results/ab/cd/two", tell_bytes=10**6).told is None


def test_every_step_is_timed_and_told(storage: Storage) -> None:
    told: list[str] = []
    report = do(storage, "thumbnail/grayscale", "flip", told=told)
    assert [(step.output, step.op) for step in report.steps] == [
        (None, "decode"),
        ("o0", "thumbnail"),
        ("o0", "grayscale"),
        ("o0", "encode"),
        ("o1", "flip"),
        ("o1", "encode"),
        ("o0", "store"),
        ("o1", "store"),
    ]
    assert told == [step.op if step.output is None else f"{step.output}: {step.op}" for step in report.steps]
    assert report.wall_ms >= sum(step.wall_ms for step in report.steps)
    assert report.cpu_ms > 0
    assert report.pid


def test_the_peak_of_memory_is_measured_or_said_not_to_be(storage: Storage) -> None:
    small = do(storage, "thumbnail")
    if small.memory_method is None:
        assert small.peak_memory_bytes is None
        return
    assert small.memory_method == "vmhwm"
    # Other tests of this process may have left it memory that it keeps for the next picture.
    asked = memory.KEPT + 100_000_000
    large = do(storage, f"test-memory:{asked}")
    assert large.peak_memory_bytes is not None
    assert small.peak_memory_bytes is not None
    grown = large.peak_memory_bytes - small.peak_memory_bytes
    assert 80_000_000 < grown < asked + 40_000_000


def test_a_bad_image_is_refused_with_its_problem_and_nothing_is_left(storage: Storage) -> None:
    storage.put("images/ab/cd/broken", photo()[:900])
    report = do(storage, "thumbnail", source="images/ab/cd/broken")
    assert report.outcome is Outcome.REFUSED
    assert report.problem is not None
    assert report.problem.code == "image-corrupt"
    assert [step.op for step in report.steps] == ["decode"]
    assert list(storage.keys("results")) == []


def test_the_output_at_fault_is_named_and_none_is_kept(storage: Storage) -> None:
    report = do(storage, "thumbnail", "resize:20000x20000,enlarge")
    assert report.problem is not None
    assert (report.problem.code, report.problem.output) == ("output-too-large", "o1")
    assert list(storage.keys("results")) == []


def test_a_source_that_is_gone_is_not_tried_again(storage: Storage) -> None:
    report = do(storage, "thumbnail", source="images/ab/cd/gone")
    assert report.outcome is Outcome.REFUSED
    assert report.problem is not None
    assert report.problem.code == "internal-error"


def test_a_result_that_can_not_be_stored_takes_the_others_with_it(storage: Storage) -> None:
    storage.put("results/ab/cd/1", b"somebody was here")
    report = do(storage, "thumbnail", "flip")
    assert report.outcome is Outcome.INTERRUPTED
    assert list(storage.keys("results")) == ["results/ab/cd/1"]
    assert storage.read("results/ab/cd/1") == b"somebody was here"


def test_a_bug_is_reported_as_one(storage: Storage) -> None:
    for nonsense in (
        {},
        {"storage": 1},
        {"storage": storage.url, "source": SOURCE, "limits": {}, "targets": 7},
    ):
        report = Report.model_validate(run(nonsense))
        assert report.outcome is Outcome.REFUSED
        assert report.problem is not None
        assert report.problem.code == "internal-error"
        assert report.bug is not None
        assert "ValidationError" in report.bug.traceback


def test_a_bug_tells_the_step_and_its_traceback_and_clients_nothing(storage: Storage) -> None:
    report = do(storage, "flip", "grayscale/test-bug/flip")
    assert report.outcome is Outcome.REFUSED
    assert report.problem is not None
    assert report.bug is not None
    assert report.bug.step == "o1: test-bug"
    assert report.bug.traceback.endswith("LookupError: test-bug was asked for")
    assert "test_bug.py" in report.bug.traceback
    assert "test" not in report.problem.model_dump_json().replace('"output":"o1"', "")


def test_what_is_no_bug_tells_nothing_of_one(storage: Storage) -> None:
    assert do(storage, "flip").bug is None
    assert do(storage, "explode:7").bug is None


def test_a_pipeline_that_is_none_is_refused(storage: Storage) -> None:
    report = do(storage, "explode:7")
    assert report.problem is not None
    assert report.problem.code == "invalid-operation"


def test_warnings_come_with_the_report(storage: Storage) -> None:
    file = io.BytesIO()
    frames = [Image.new("L", (9, 9), level) for level in (0, 99, 200)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    storage.put("images/ab/cd/moving", file.getvalue())
    report = do(storage, "jpeg", source="images/ab/cd/moving")
    assert report.warnings == ("o0: shows the first of 3 frames; the format has no animation",)


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (MemoryError(), Outcome.REFUSED, "image-too-large-for-memory"),
        (OSError(errno.EIO, "Input/output error"), Outcome.INTERRUPTED, "storage-unavailable"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), Outcome.REFUSED, "image-too-large-for-memory"),
        (StorageUnavailable("gone"), Outcome.INTERRUPTED, "storage-unavailable"),
        (InsufficientStorage("full"), Outcome.INTERRUPTED, "insufficient-storage"),
        (FileNotFoundError("x"), Outcome.REFUSED, "internal-error"),
        (RecursionError(), Outcome.REFUSED, "internal-error"),
        (SystemExit(3), Outcome.REFUSED, "internal-error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_every_exception_has_a_verdict(error: BaseException, outcome: Outcome, code: str) -> None:
    assert judge(error)[0] is outcome
    assert judge(error)[1].code == code


def test_an_analysis_is_a_result_like_any_other(storage: Storage) -> None:
    report = do(storage, "analyse", kind=Kind.ANALYSE)
    assert report.outcome is Outcome.SUCCEEDED
    (result,) = report.results
    data = storage.read(result.key)
    assert json.loads(data)["palette"]
    assert (result.content_type, result.bytes) == ("application/json", len(data))
    assert result.sha256 == hashlib.sha256(data).hexdigest()
    assert (result.width, result.height, result.frames) == (320, 240, 1)
    assert [(step.output, step.op) for step in report.steps] == [
        (None, "decode"),
        ("o0", "analyse"),
        ("o0", "store"),
    ]


def test_the_report_of_an_analysis_is_short_however_much_the_image_says(storage: Storage) -> None:
    made = Image.Exif()
    for tag in (0x010E, 0x010F, 0x0110, 0x0131, 0x013B, 0x8298):
        made[tag] = "x" * 3000
    storage.put("images/ab/cd/wordy", photo(exif=made.tobytes()))
    report = do(storage, "analyse", kind=Kind.ANALYSE, source="images/ab/cd/wordy")
    assert report.results[0].bytes > 3000


def test_what_can_not_be_analysed_is_refused_and_nothing_is_left(storage: Storage) -> None:
    storage.put("images/ab/cd/broken", photo()[:900])
    report = do(storage, "analyse", kind=Kind.ANALYSE, source="images/ab/cd/broken")
    assert report.outcome is Outcome.REFUSED
    assert report.problem is not None
    assert report.problem.code == "image-corrupt"
    assert list(storage.keys("results")) == []


def test_an_image_that_was_cut_short_behind_our_back_is_not_analysed(storage: Storage) -> None:
    report = do(storage, "analyse", kind=Kind.ANALYSE, source_bytes=5)
    assert report.problem is not None
    assert report.problem.code == "internal-error"
