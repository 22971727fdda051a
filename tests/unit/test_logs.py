"""Every line is one line, in JSON or for people, and nothing that a client sent can break it."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from imgsvc import logs
from imgsvc.errors import Problem
from imgsvc.jobs import Image, Job, Output, Result, State, Step, Timings
from imgsvc.worker import Outcome, Report


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What is logged as JSON; afterwards logging is as it was."""
    loggers = [logging.getLogger(name) for name in ("", "uvicorn", "uvicorn.error", "uvicorn.access")]
    before = [(logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    written = io.StringIO()
    logs.configure("json", "info", written)
    yield written
    for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logger.propagate = propagate


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def job(state: State, **changes: Any) -> Job:  # noqa: ANN401  # any field of a job
    image = Image(
        id="img_1",
        sha256="00",
        key="images/00/00/x",
        bytes=1000,
        format="jpeg",
        content_type="image/jpeg",
        width=40,
        height=30,
        frames=1,
        has_alpha=False,
        created_at=0,
    )
    return Job(
        id="job_1",
        state=state,
        max_attempts=3,
        timeout_ms=1000,
        retention_s=60,
        created_at=0,
        image=image,
        outputs=(Output(name="default", spec="resize:10x/webp"),),
        **changes,
    )


STEPS = (
    Step(output=None, op="decode", wall_ms=2.0, cpu_ms=1.5, before=None, after=(40, 30)),
    Step(output="a", op="encode", wall_ms=1.0, cpu_ms=1.0, before=(10, 8), after=(10, 8)),
    Step(output="b", op="encode", wall_ms=3.0, cpu_ms=1.0, before=(10, 8), after=(10, 8)),
)
RESULT = Result(
    name="default", key="k", content_type="image/webp", bytes=50, width=10, height=8, frames=1, sha256="00"
)


def test_a_job_is_one_line_with_its_outcome_and_times(stream: io.StringIO) -> None:
    timings = Timings(queue_ms=1.0, run_ms=6.0, total_ms=9.0, cpu_ms=3.5, steps=STEPS, lane=2, pid=7)
    logs.LogObserver().job_ended(job(State.SUCCEEDED, timings=timings, results=(RESULT,), attempts=1))
    (line,) = lines(stream)
    assert line["event"] == "job"
    assert line["level"] == "info"
    assert line["job"] == "job_1"
    assert line["status"] == "succeeded"
    assert line["steps"] == {"decode": 2.0, "encode": 4.0}
    assert (line["bytes_in"], line["bytes_out"]) == (1000, 50)
    assert (line["queue_ms"], line["run_ms"], line["lane"], line["pid"]) == (1.0, 6.0, 2, 7)
    assert line["outputs"] == {"default": "resize:10x/webp"}
    assert list(line)[:3] == ["at", "level", "event"]
    assert "code" not in line


def test_a_clients_fault_is_an_ordinary_line_and_ours_a_warning(stream: io.StringIO) -> None:
    for code in ("image-corrupt", "worker-crashed"):
        logs.LogObserver().job_ended(job(State.FAILED, error=Problem(code=code, detail="…")))
    assert [(line["code"], line["level"]) for line in lines(stream)] == [
        ("image-corrupt", "info"),
        ("worker-crashed", "warning"),
    ]


def test_a_call_is_one_line(stream: io.StringIO) -> None:
    report = Report(outcome=Outcome.SUCCEEDED, results=(RESULT,), steps=STEPS, wall_ms=6.0, cpu_ms=3.5)
    logs.LogObserver().call_ended(report, {"default": "webp"}, 1000)
    (line,) = lines(stream)
    assert (line["event"], line["status"], line["bytes_out"]) == ("call", "succeeded", 50)


def test_spare_work_is_a_line_of_its_own(stream: io.StringIO) -> None:
    logs.LogObserver().spare_ended(Report(outcome=Outcome.SUCCEEDED, wall_ms=6.0), {"default": "avif"})
    (line,) = lines(stream)
    assert (line["event"], line["status"], line["outputs"]) == ("spare", "succeeded", {"default": "avif"})


def test_the_request_that_is_being_answered_is_on_every_line(stream: io.StringIO) -> None:
    token = logs.request_id.set("req-1")
    try:
        logging.getLogger("imgsvc.api").warning("something")
        logs.LogObserver().call_ended(Report(outcome=Outcome.REFUSED), {}, 0)
    finally:
        logs.request_id.reset(token)
    logging.getLogger("imgsvc.api").warning("later")
    assert [line.get("request_id") for line in lines(stream)] == ["req-1", "req-1", None]


def test_a_jobs_line_names_the_request_that_brought_it(stream: io.StringIO) -> None:
    token = logs.request_id.set("req-1")
    logs.remember("job_1")
    logs.request_id.reset(token)
    for _ in range(2):
        logs.LogObserver().job_ended(job(State.SUCCEEDED))
    assert [line.get("request_id") for line in lines(stream)] == ["req-1", None]


def test_libraries_write_the_same_lines(stream: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").warning("odd %s", "request", extra={"bytes": 3})
    logging.getLogger("uvicorn.error").info("Started server process")
    (line,) = lines(stream)
    assert line["event"] == "odd request"
    assert line["logger"] == "uvicorn.error"
    assert line["bytes"] == 3


def test_an_error_of_ours_has_its_traceback_in_one_line(stream: io.StringIO) -> None:
    try:
        raise RuntimeError("broken")  # noqa: TRY301  # made to be logged
    except RuntimeError:
        logging.getLogger("imgsvc").exception("unhandled")
    (line,) = lines(stream)
    assert line["level"] == "error"
    assert "RuntimeError: broken" in line["exception"]


NASTY = "a\r\nb\x1b[31m\x00\x9b\u2028\u202e\udc80"


def test_nothing_that_a_client_sent_reaches_a_terminal_raw() -> None:
    written = io.StringIO()
    logs.configure("console", "info", written)
    try:
        logs.LogObserver().job_ended(job(State.SUCCEEDED, reference=NASTY, batch=NASTY))
        logging.getLogger("imgsvc").warning("name %s", NASTY, extra={"name2": NASTY})
    finally:
        logging.getLogger().handlers[:] = []
    assert len(written.getvalue().splitlines()) == 2
    assert all(char.isprintable() or char == "\n" for char in written.getvalue())


def test_half_a_character_deep_inside_does_not_lose_the_line(stream: io.StringIO) -> None:
    logging.getLogger("imgsvc").warning("deep", extra={"outputs": {"default": NASTY}})
    (line,) = lines(stream)
    assert line["event"] == "deep"


def test_a_closed_pipe_harms_nobody() -> None:
    written = io.StringIO()
    logs.configure("json", "info", written)
    written.close()
    logs.LogObserver().call_ended(Report(outcome=Outcome.SUCCEEDED), {}, 0)
    logging.getLogger().handlers[:] = []


def test_the_level_is_kept(stream: io.StringIO) -> None:
    logs.configure("json", "warning", stream)
    logs.LogObserver().call_ended(Report(outcome=Outcome.SUCCEEDED), {}, 0)
    logging.getLogger("imgsvc").info("quiet")
    logs.LogObserver().call_ended(Report(outcome=Outcome.CRASHED), {}, 0)
    assert [line["status"] for line in lines(stream)] == ["crashed"]


@pytest.mark.anyio
async def test_rejections_are_one_line_a_second_with_a_count(stream: io.StringIO) -> None:
    rejections = logs.Rejections(interval=0.05)
    for _ in range(100):
        rejections.count("queue-full")
    rejections.count("draining")
    assert lines(stream) == []
    async with asyncio.timeout(5):
        while not stream.getvalue():  # noqa: ASYNC110  # nobody tells when a line has been written
            await asyncio.sleep(0.01)
    (line,) = lines(stream)
    assert (line["event"], line["level"], line["requests"]) == ("rejected", "warning", 101)
    assert line["codes"] == {"draining": 1, "queue-full": 100}
    rejections.count("draining")
    rejections.write()
    rejections.write()
    assert [line["codes"] for line in lines(stream)[1:]] == [{"draining": 1}]
