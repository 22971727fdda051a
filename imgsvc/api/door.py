"""What every route stands on: the open service, the options, and how answers are made of documents."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson
from starlette.requests import Request
from starlette.responses import Response

from imgsvc.api import conditional, documents
from imgsvc.api.options import ApiOptions
from imgsvc.api.submissions import Submissions
from imgsvc.errors import NotFound, StorageUnavailable
from imgsvc.jobs import Job, State
from imgsvc.metrics import Metrics
from imgsvc.pipeline import Grammar
from imgsvc.service import QueuePlace, Service

_JOB, _IMAGE = re.compile(r"job_[0-9a-f]{32}"), re.compile(r"img_[0-9a-f]{32}")
_BATCH = re.compile(r"bat_[0-9a-f]{32}")
#: Documents change: none is to be taken from a cache unasked.
_NO_STORE, _ASK = "no-store", "private, no-cache"


@dataclass(slots=True)
class Door:
    """What there is one of in an application."""

    options: ApiOptions
    metrics: Metrics | None
    grammar: Grammar
    submissions: Submissions = field(init=False)
    #: There while the application runs.
    service: Service | None = None

    def __post_init__(self) -> None:
        self.submissions = Submissions(self.grammar, self.options)


def door(request: Request) -> Door:
    """The application's door."""
    found: Door = request.app.state.door
    return found


def service(request: Request) -> Service:
    """The open service; raises StorageUnavailable before and after."""
    found = door(request).service
    if found is None:
        raise StorageUnavailable("the service is starting")
    return found


def job_id(request: Request) -> str:
    """The job that the path names; what can't be an id is unknown without a look."""
    found: str = request.path_params["id"]
    if not _JOB.fullmatch(found):
        raise NotFound("there is no such job")
    return found


def batch_id(request: Request) -> str:
    """The batch that the path names."""
    found: str = request.path_params["id"]
    if not _BATCH.fullmatch(found):
        raise NotFound("there is no such batch")
    return found


def image_id(request: Request) -> str:
    """The image that the path names."""
    found: str = request.path_params["id"]
    if not is_image_id(found):
        raise NotFound("there is no such image")
    return found


def is_image_id(text: str) -> bool:
    """Could an image be called that?"""
    return _IMAGE.fullmatch(text) is not None


def answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer that nobody may keep."""
    told = {"Cache-Control": _NO_STORE} | dict(headers or {})
    return Response(orjson.dumps(value), status, told, media_type="application/json")


def revalidated(request: Request, value: object, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer with an entity tag, or 304 when the client has it."""
    body = orjson.dumps(value)
    tag = f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    told = {"ETag": tag, "Cache-Control": _ASK} | dict(headers or {})
    if conditional.unchanged(request.headers, tag):
        return Response(None, 304, told)
    return Response(body, 200, told, media_type="application/json")


async def shown(request: Request, job: Job) -> tuple[documents.Document, dict[str, str]]:
    """A job's document as it is now, and when to ask again."""
    place = (await service(request).queue_places([job])).get(job.id)
    document = _document(request, job, place)
    wait_ms = None if place is None else place.estimated_wait_ms
    return document, {} if job.state.ended else {"Retry-After": _seconds(wait_ms)}


async def listed(request: Request, jobs: Sequence[Job]) -> list[documents.Document]:
    """The documents of several jobs, with one look at the line."""
    places = await service(request).queue_places(jobs)
    return [_document(request, job, places.get(job.id)) for job in jobs]


def _document(request: Request, job: Job, place: QueuePlace | None) -> documents.Document:
    position, wait_ms = (None, None) if place is None else (place.position, place.estimated_wait_ms)
    step = service(request).current_step(job) if job.state is State.RUNNING else None
    return documents.job(job, documents.Now(position, wait_ms, step), door(request).options.public_url)


def _seconds(ms: float | None) -> str:
    """When it is worth asking again: from one second to five minutes."""
    return str(max(1, min(300, round((ms or 0) / 1000))))
