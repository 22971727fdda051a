"""One structured line for each job and each call, on stderr: JSON, or for people on a terminal."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from imgsvc.errors import InternalError
from imgsvc.jobs import Job, State, Step
from imgsvc.worker import Outcome, Report

#: The id of the request that is being answered; set by the api room, on every line while it is.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

_log = structlog.get_logger("imgsvc")

#: Jobs of this process that have not ended, with the requests that brought them; the oldest go first.
_REMEMBERED = 20_000
_brought: dict[str, str] = {}


def remember(job: str) -> None:
    """The request that is being answered has brought this job: its line at the end will name it."""
    current = request_id.get()
    if current is not None:
        _brought[job] = current
        if len(_brought) > _REMEMBERED:
            del _brought[next(iter(_brought))]


def configure(style: str = "json", level: str = "info", stream: TextIO | None = None) -> None:
    """Send everything that is logged, ours and the libraries', through one renderer.

    `style` is `json`, `console` or `auto`: for people where `stream` (stderr) is a terminal.
    """
    stream = stream or sys.stderr
    people = style == "console" or (style == "auto" and stream.isatty())
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        _add_request_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    ending: list[Processor] = [structlog.processors.format_exc_info, _clean, *_renderer(people, stream)]
    structlog.configure(
        processors=[*shared, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda *_names: _Line(stream),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), structlog.stdlib.add_logger_name, *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers[:] = []
        logging.getLogger(name).propagate = True
    # What uvicorn says about its own start and stop we say ourselves, in one line each.
    logging.getLogger("uvicorn.error").setLevel(max(threshold, logging.WARNING))


class _Line:
    """Writes lines; one that can't be written any more (a closed pipe) harms nobody's job."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            return

    debug = info = warning = error = critical = exception = msg


def _renderer(people: bool, stream: TextIO) -> list[Processor]:
    if people:
        return [structlog.dev.ConsoleRenderer(colors=stream.isatty(), timestamp_key="at", sort_keys=False)]
    return [structlog.processors.EventRenamer("event"), _json]


def _json(_logger: WrappedLogger, _method: str, fields: EventDict) -> str:
    ordered = {key: fields.pop(key) for key in ("at", "level", "event") if key in fields} | dict(fields)
    try:
        return orjson.dumps(ordered, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # half a surrogate pair, deep inside
        return json.dumps(ordered, default=str)


def _add_request_id(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    current = request_id.get()
    if current is not None:
        fields.setdefault("request_id", current)
    return fields


def _clean(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    """Nothing that a client sent may move the cursor of a terminal or break a line."""
    _clean_values(fields)
    return fields


def _clean_values(fields: MutableMapping[str, Any]) -> None:
    for key, value in fields.items():
        if isinstance(value, str) and not value.isprintable():
            keep = "\n" if key == "exception" else ""
            fields[key] = "".join(c if c.isprintable() or c in keep else _escaped(c) for c in value)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


class LogObserver:
    """Writes one line when a job, a synchronous call or spare work ends."""

    def job_ended(self, job: Job) -> None:
        """A job has reached its end."""
        timings = job.timings
        fields: dict[str, Any] = {
            "job": job.id,
            "status": job.state.value,
            "code": job.error.code if job.error else None,
            "image": job.image.id,
            "format": job.image.format,
            "size": f"{job.image.width}x{job.image.height}",
            "bytes_in": job.image.bytes,
            "bytes_out": sum(result.bytes for result in job.results),
            "outputs": {output.name: output.spec for output in job.outputs},
            "attempts": job.attempts,
            "upload_ms": timings.upload_ms,
            "queue_ms": timings.queue_ms,
            "run_ms": timings.run_ms,
            "total_ms": timings.total_ms,
            "cpu_ms": round(timings.cpu_ms, 3) if timings.cpu_ms is not None else None,
            "steps": _steps(timings.steps),
            "peak_memory_bytes": timings.peak_memory_bytes,
            "lane": timings.lane,
            "pid": timings.pid,
            "request_id": _brought.pop(job.id, None),
            "reference": job.reference,
            "batch": job.batch,
        }
        # A client's fault is news of an ordinary day; ours is not.
        ours = job.state is State.FAILED and fields["code"] in {"internal-error", "worker-crashed"}
        _write("job", fields, warning=ours)

    def call_ended(self, report: Report, specs: Mapping[str, str], bytes_in: int) -> None:
        """A synchronous call has run; `specs` are its pipelines' canonical texts by output."""
        _write_report("call", report, specs, bytes_in)

    def spare_ended(self, report: Report, specs: Mapping[str, str]) -> None:
        """Spare work has run; `specs` as for a call."""
        _write_report("spare", report, specs)


def _write_report(event: str, report: Report, specs: Mapping[str, str], bytes_in: int | None = None) -> None:
    fields: dict[str, Any] = {
        "status": report.outcome.value,
        "code": report.problem.code if report.problem else None,
        "bytes_in": bytes_in,
        "bytes_out": sum(result.bytes for result in report.results),
        "outputs": dict(specs) or None,
        "run_ms": round(report.wall_ms, 3),
        "cpu_ms": round(report.cpu_ms, 3),
        "steps": _steps(report.steps),
        "peak_memory_bytes": report.peak_memory_bytes,
        "pid": report.pid,
    }
    ours = report.outcome is Outcome.CRASHED or fields["code"] == InternalError.code
    _write(event, fields, warning=ours)


def _write(event: str, fields: Mapping[str, Any], *, warning: bool) -> None:
    there = {key: value for key, value in fields.items() if value is not None}
    if warning:
        _log.warning(event, **there)
    else:
        _log.info(event, **there)


def _steps(steps: Iterable[Step]) -> dict[str, float]:
    """Wall time in ms by step; what several outputs do under one name is added up."""
    total: dict[str, float] = {}
    for step in steps:
        total[step.op] = round(total.get(step.op, 0.0) + step.wall_ms, 3)
    return total


class Rejections:
    """Writes one line a second with what was refused in it, by code: a flood of refusals is none of lines.

    Used on an event loop.
    """

    def __init__(self, interval: float = 1.0) -> None:
        self._interval = interval
        self._codes: Counter[str] = Counter()

    def count(self, code: str) -> None:
        """One more request was refused."""
        if not self._codes:
            asyncio.get_running_loop().call_later(self._interval, self.write)
        self._codes[code] += 1

    def write(self) -> None:
        """Write what has come since the last line, if anything; the server's last act."""
        if not self._codes:
            return
        codes, self._codes = self._codes, Counter()
        _log.warning("rejected", requests=codes.total(), codes=dict(sorted(codes.items())))
