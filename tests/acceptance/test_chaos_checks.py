"""The chaos program notices what it is there to notice."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

from imgsvc import jobstore
from imgsvc.imaging import Limits, render
from imgsvc.jobs import Job
from imgsvc.jobs import State as JobState
from imgsvc.jobstore import Ending, JobStore
from imgsvc.pipeline import Grammar
from tests.acceptance.chaos import disorder, remains
from tests.acceptance.chaos.disorder import Damage
from tests.acceptance.chaos.house import House
from tests.acceptance.chaos.judge import Judge
from tests.acceptance.chaos.ledger import Asked, Document, Ledger, Stored, Ticket, Verdict
from tests.acceptance.chaos.session import Session
from tests.acceptance.chaos.visitor import Sight, Visitor
from tests.acceptance.chaos.wishes import PICTURES, Kind, References, Wish
from tests.records import NOW, a_job, results
from tests.servers import Answer

CRASHED = {"code": "worker-crashed"}
#: 2025-11-25T10:00:00Z.
TEN = 1764064800.0


def a_start(number: int, outcome: str, begun: int, ended: int) -> Document:
    return {
        "attempt": number,
        "outcome": outcome,
        "started_at": f"2025-11-25T10:00:{begun:02}.000Z",
        "ended_at": f"2025-11-25T10:00:{ended:02}.000Z",
    }


def a_document(*history: Document, **changes: Any) -> Document:  # noqa: ANN401  # any field of a job
    """A job that has succeeded, unless it is said otherwise."""
    return {
        "id": "job_1",
        "status": "succeeded",
        "reference": "c1-1",
        "attempts": len(history) or 1,
        "max_attempts": 3,
        "image": {"sha256": "5ha"},
        "outputs": [{"name": "default"}],
        "results": [{"name": "default"}],
        "history": list(history) or [a_start(1, "succeeded", 0, 1)],
        "error": None,
    } | changes


def faults(
    tmp_path: Path,
    document: Document,
    *,
    kind: Kind = Kind.GOOD,
    canceled: Asked = Asked.NO,
    worker_killed: tuple[float, ...] = (),
    server_killed: tuple[float, ...] = (),
) -> list[str]:
    house = House(tmp_path, tmp_path / "log", {})
    house.kills.extend(server_killed)
    judge = Judge(house, Damage(worker_kills=list(worker_killed)), References())
    ticket = Ticket("c1-1", Wish(kind, "small.jpg", {"default": "flip"}), "5ha", canceled=canceled)
    return judge.faults(ticket, document)


TWICE = (a_start(1, "crashed", 0, 2), a_start(2, "succeeded", 3, 4))
AGAIN = (a_start(1, "lost", 0, 2), a_start(2, "succeeded", 3, 4))
FAILED = {"status": "failed", "results": [], "error": CRASHED}


@pytest.mark.parametrize(
    ("document", "more", "fault"),
    [
        (a_document(attempts=2), {}, "2 attempts, but"),
        (a_document(results=[]), {}, "results []"),
        (a_document(results=[{"name": "default"}] * 2), {}, "results ['default', 'default']"),
        (a_document(reference="c1-2"), {}, "another job"),
        (a_document(image={"sha256": "other"}), {}, "another job"),
        (a_document(), {"canceled": Asked.YES}, "cancellation was confirmed"),
        (a_document(status="canceled", results=[]), {}, "nobody canceled it"),
        (a_document(), {"kind": Kind.CRASH}, "it ended with None"),
        (a_document(*TWICE), {}, "we did not kill it"),
        (a_document(*TWICE), {"worker_killed": (TEN + 5,)}, "we did not kill it"),
        (a_document(*AGAIN), {}, "we did not kill the server"),
        (a_document(a_start(1, "crashed", 0, 1), **FAILED), {"worker_killed": (TEN,)}, "it failed with"),
        (a_document(a_start(1, "succeeded", 0, 1), a_start(2, "succeeded", 2, 3)), {}, "after an end"),
        (a_document(a_start(1, "lost", 0, 3), a_start(2, "succeeded", 2, 4)), {}, "two starts at once"),
        (a_document(a_start(1, "failed", 0, 1)), {}, "ends otherwise"),
    ],
)
def test_a_job_that_is_not_as_promised_is_noticed(
    tmp_path: Path, document: Document, more: Mapping[str, Any], fault: str
) -> None:
    assert any(fault in found for found in faults(tmp_path, document, **more)), faults(
        tmp_path, document, **more
    )


@pytest.mark.parametrize(
    ("document", "more"),
    [
        (a_document(), {}),
        (a_document(*TWICE), {"worker_killed": (TEN + 2,)}),
        (a_document(*AGAIN), {"server_killed": (TEN + 1,)}),
        (a_document(status="canceled", results=[]), {"canceled": Asked.MAYBE}),
        (a_document(a_start(1, "crashed", 0, 1), **FAILED), {"kind": Kind.CRASH}),
    ],
)
def test_a_job_that_is_as_promised_is_not_complained_of(
    tmp_path: Path, document: Document, more: Mapping[str, Any]
) -> None:
    assert faults(tmp_path, document, **more) == []


async def a_store_with_a_result(store: JobStore, folder: Path) -> Job:
    """One job that has succeeded, with its files."""
    await store.open()
    await store.add(a_job(), rank=1)
    claimed = await store.claim(NOW, lane=1)
    assert claimed is not None
    ending = Ending(state=JobState.SUCCEEDED, outcome="succeeded", at=NOW, results=results(claimed))
    job = await store.settle(claimed.id, 1, ending)
    await store.close()
    assert job is not None
    for key in (job.image.key, job.results[0].key):
        (folder / key).parent.mkdir(parents=True)
        (folder / key).write_bytes(b"x")
    return job


def reckoning(data: Path) -> Ledger:
    ledger = Ledger()
    remains.when_it_has_stopped(House(data, data.parent / "log", {}), ledger, remains.shared())
    return ledger


def test_files_and_rows_that_do_not_fit_each_other_are_noticed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "staging").mkdir(parents=True)
    job = asyncio.run(a_store_with_a_result(jobstore.connect(f"sqlite://{data}/imgsvc.sqlite3"), data))
    assert reckoning(data).complaints == []
    (data / job.results[0].key).rename(data / "results" / "stray")
    found = reckoning(data)
    assert [job.results[0].key in text for text in found.of(Verdict.LOST)] == [True]
    assert ["results/stray" in text for text in found.of(Verdict.LEFT_OVER)] == [True]


def test_a_cached_file_that_is_not_what_its_name_says_is_noticed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "staging").mkdir(parents=True)
    (data / "cache").mkdir()
    asyncio.run(a_store_with_a_result(jobstore.connect(f"sqlite://{data}/imgsvc.sqlite3"), data))
    name = f"{'ab' * 16}-{'cd' * 32}-00112233-{hashlib.sha256(b'whole').hexdigest()}-png-1x1"
    (data / "cache" / name).write_bytes(b"whole")
    assert reckoning(data).complaints == []
    (data / "cache" / name).write_bytes(b"hole")
    (data / "cache" / f"{name}.part-01").write_bytes(b"whole")
    assert len(reckoning(data).of(Verdict.WRONG)) == 2


WEBP = "resize:120x/webp"


def visited(
    tmp_path: Path, body: bytes, *, etag: bytes | None = None, deleted: Asked = Asked.NO
) -> list[str]:
    """What a visitor says of an answer with these bytes."""
    ledger = Ledger()
    judge = Judge(House(tmp_path, tmp_path / "log", {}), Damage(), References())
    visitor = Visitor(Session("v", Random(1), judge.house, ledger, judge), threading.Event())
    sight = Sight(Stored("img_1", "5ha", "small.jpg", deleted))
    tag = hashlib.sha256(body if etag is None else etag).hexdigest()
    visitor.check(sight, WEBP, None, Answer(200, {"etag": f'"{tag}"'}, body))
    return ledger.of(Verdict.WRONG)


def test_a_render_with_other_bytes_or_of_a_deleted_image_is_noticed(tmp_path: Path) -> None:
    (made,) = render(PICTURES["small.jpg"], [("default", Grammar().parse(WEBP))], Limits())
    right = bytes(made.data)
    assert visited(tmp_path, right) == []
    assert len(visited(tmp_path, right[:-1] + b"x")) == 1
    assert len(visited(tmp_path, right, etag=b"another's")) == 1
    assert len(visited(tmp_path, right, deleted=Asked.YES)) == 1
    assert visited(tmp_path, right, deleted=Asked.MAYBE) == []


def test_a_traceback_in_the_log_is_noticed(tmp_path: Path) -> None:
    house, ledger = House(tmp_path, tmp_path / "log", {}), Ledger()
    house.log.write_text('{"level":"info","event":"fine"}\n')
    remains.log(house, ledger)
    assert ledger.complaints == []
    house.log.write_text('{"level":"warning","event":"oh","exception":"Traceback …\\nValueError: no"}\n')
    remains.log(house, ledger)
    assert len(ledger.of(Verdict.WRONG)) == 1
    house.log.write_text('Traceback (most recent call last):\n  File "x", line 1\n    y()\nOSError: z\n{}\n')
    remains.log(house, ledger)
    assert len(ledger.of(Verdict.WRONG)) == 2
    assert ledger.of(Verdict.WRONG)[-1].endswith("OSError: z\n")


def test_the_same_seed_plans_the_same() -> None:
    first, again, other = (disorder.plan(Random(seed), 60, 5) for seed in (1, 1, 2))
    assert first == again != other
    assert sum(event.what.startswith("kill") for event in first["server"]) == 5
