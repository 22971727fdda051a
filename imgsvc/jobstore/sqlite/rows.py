"""Values to rows and back; rows are our own writing, so they are checked once, in one pass."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

import orjson
from pydantic import TypeAdapter

from imgsvc.errors import Problem
from imgsvc.jobs import Image, Job, Output, Result, Timings

#: What lies in a column as JSON.
_JSON = ("image", "outputs", "results", "timings", "history", "warnings")

_outputs = TypeAdapter(tuple[Output, ...])
_results = TypeAdapter(tuple[Result, ...])


def job_from(row: sqlite3.Row | dict[str, Any]) -> Job:
    """The job that a row with the columns {job} tells of."""
    values = dict(row)
    for name in _JSON:
        values[name] = orjson.loads(values[name])
    if values["error"] is not None:
        values["error"] = orjson.loads(values["error"])
    return Job.model_validate(values)


def jobs_from(rows: Iterable[sqlite3.Row]) -> list[Job]:
    """The jobs that these rows tell of, oldest first."""
    return sorted((job_from(row) for row in rows), key=lambda job: job.id)


def image_from(row: sqlite3.Row) -> Image:
    """The image that a row with the columns {image} tells of."""
    return Image.model_validate(dict(row))


def image_to(image: Image) -> dict[str, object]:
    """An image's columns."""
    return image.__dict__


def job_to(job: Job, rank: int, image: int, place: int | None = None) -> dict[str, object]:
    """A new job's columns; `image` is its image's number, `place` the job's in its batch."""
    return job.__dict__ | {
        "rank": rank,
        "image": image,
        "place": place,
        "outputs": _outputs.dump_json(job.outputs).decode(),
        "timings": timings_to(job.timings),
    }


def timings_to(timings: Timings) -> str:
    """Timings as JSON; what is None is left out, so that it can be laid over what was there."""
    return timings.model_dump_json(exclude_defaults=True)


def results_to(results: tuple[Result, ...]) -> str:
    """Results as JSON."""
    return _results.dump_json(results).decode()


def problem_to(problem: Problem | None) -> str | None:
    """An error as JSON."""
    return None if problem is None else problem.model_dump_json(exclude_defaults=True)


def warnings_to(warnings: tuple[str, ...]) -> str:
    """Warnings as JSON."""
    return orjson.dumps(warnings).decode()
