"""`/v1/jobs`: durable work."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from imgsvc import errors
from imgsvc.api import documents, examples, keys, parameters
from imgsvc.api.door import answer, door, job_id, listed, revalidated, service, shown
from imgsvc.api.envelope import called
from imgsvc.api.openapi import STORED, UPLOAD, document, operation, parameter, plain
from imgsvc.api.parameters import Reader
from imgsvc.api.routes.shared import (
    CURSOR,
    IF_NONE_MATCH,
    JOB_ID,
    LIMIT,
    PREFER,
    WAIT,
    WISHES,
    image_body,
    wish_parameters,
)
from imgsvc.api.submissions import FIELDS, MAX_REFERENCE
from imgsvc.api.uploads import Kind, Reads, body, declared, json_body, kind, received
from imgsvc.api.waiting import applied, asked, preferred, while_connected
from imgsvc.errors import MalformedRequest
from imgsvc.jobs import Job, State, image_id
from imgsvc.service import JobRequest, Place

router = APIRouter(tags=["Jobs"])

#: How many items a list has when nobody says, and at most.
_USUAL, _MOST = 50, 200
_LONGEST_CURSOR = 512
_GONE: tuple[type[errors.ImgsvcError], ...] = (errors.NotFound, errors.ResultExpired, *STORED)
_TAKEN = {
    "Location": "Where the job is.",
    "Retry_After": "Seconds after which asking is worth while.",
    "Preference_Applied": "The wait that was granted.",
}


def _body() -> dict[str, object]:
    body = image_body(WISHES)
    fields = {name: schema | {"description": text} for name, text, schema in WISHES}
    # In JSON a pipeline may be JSON.
    fields["ops"] = {"description": WISHES[0][1], "$ref": "#/components/schemas/Pipeline"}
    wanted = {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("Pipeline", "Srcset")]}
    pipelines = {"type": "object", "additionalProperties": wanted}
    fields["outputs"] = {"description": WISHES[1][1], **pipelines}
    source = {"type": "object", "required": ["image"], "properties": {"image": {"type": "string"}}}
    body["content"]["application/json"] = {
        "schema": {"type": "object", "required": ["source"], "properties": {"source": source, **fields}},
        "example": {"source": {"image": examples.IMAGE_ID}, "ops": ["resize:300x200,fit=cover", "webp"]},
    }
    return body


async def job_again(request: Request, id: str) -> Response:
    """The answer to a submission, from the job that it made."""
    wait = preferred(request)
    return await _accepted(request, await service(request).job(id), wait)


@router.post(
    "/v1/jobs",
    **operation(
        "createJob",
        "Submit a job",
        {
            202: document("Job", "The job is accepted.", examples.QUEUED, **_TAKEN),
            200: document("Job", "The job has ended within the wait.", examples.JOB, **_TAKEN),
        },
        parameters=[*wish_parameters(), PREFER],
        body=_body(),
        errors=(
            *UPLOAD,
            errors.NotFound,
            errors.ResultExpired,
            errors.InvalidOperation,
            errors.ImageTooLargeForMemory,
            errors.OutputTooLarge,
            errors.QueueFull,
            *STORED,
        ),
        keyed=True,
    ),
)
@keys.making(job_again)
async def create_job(request: Request) -> Response:
    """Stores the image and promises to run the pipelines on it: 202 means that the promise is on disk.

    The image comes as a raw body with the rest in the query, as a form, or as JSON that names a stored one.
    """
    serving, wait = service(request), preferred(request)
    first = await _repeated(request)
    if first is not None:
        return await _accepted(request, first, wait)
    if kind(request) is Kind.JSON:
        async with keys.admitted(request, serving.admission.job) as place:
            job = await _submit_stored(request, place)
        return await _accepted(request, job, wait)
    reads = Reads(FIELDS, lambda values, complete: _wish(request, values, complete=complete))
    async with (
        keys.admitted(request, partial(serving.admission.job, declared(request))) as place,
        received(request, serving.intake, reads, grown=None if place is None else place.grow) as upload,
    ):
        image = image_id(upload.staged.sha256 or "")
        receipt = keys.receipt(request, [upload.wish.meaning, image, upload.filename])
        job = await serving.submit(
            upload.staged, upload.wish, filename=upload.filename, receipt=receipt, place=place
        )
    return await _accepted(request, job, wait)


async def _repeated(request: Request) -> Job | None:
    """The job that has the reference of a raw image in its batch already: the image is not needed again.

    Raises what speaks against a new one, before its image is read. Forms say it with their image, and
    what comes with an Idempotency-Key is known by its image too.
    """
    query = request.scope["query_string"]
    if b"batch=" not in query or kind(request) is not Kind.RAW or called(request.scope).key is not None:
        return None
    given = parameters.query(query)
    wanted = Reader(given, given)
    batch, reference = wanted.text("batch", MAX_REFERENCE), wanted.text("reference", MAX_REFERENCE)
    wanted.done()
    first = await service(request).batches.welcome(batch, reference) if batch is not None else None
    if first is not None and request.headers.get("expect", "").lower() != "100-continue":
        # One who does not wait to be asked for it sends it, and might not hear us before that is done.
        async for _ in body(request):
            pass
    return first


async def _submit_stored(request: Request, place: Place | None) -> Job:
    if parameters.query(request.scope["query_string"]):
        raise MalformedRequest("with a JSON body all parameters belong in the body")
    values = await json_body(request)
    reader = Reader(values, ("source", *FIELDS))
    source = values.pop("source", None)
    image = source.get("image") if isinstance(source, dict) and len(source) == 1 else None
    if not isinstance(image, str):
        example = '{"source": {"image": "img_…"}, "ops": "thumbnail"}'
        reader.refuse("source", f"a stored image's id must be in source: {example}", '{"image": "img_…"}')
    reader.done()
    wish = _wish(request, values, json=True)
    receipt = keys.receipt(request, [wish.meaning, image, None])
    return await service(request).submit_stored(str(image), wish, receipt=receipt, place=place)


def _wish(
    request: Request, values: Mapping[str, object], *, complete: bool = True, json: bool = False
) -> JobRequest:
    return door(request).submissions.read(values, complete=complete, json=json)


async def _accepted(request: Request, job: Job, wait: float | None) -> Response:
    """202 with the job, or 200 when it ended within the wait."""
    if wait is not None:
        job = await while_connected(request, service(request).wait(job.id, wait))
    shows, again = await shown(request, job)
    status = 200 if wait is not None and job.state.ended else 202
    return answer(shows, status, {"Location": documents.path(job.id)} | again | applied(wait))


@router.get(
    "/v1/jobs",
    **operation(
        "listJobs",
        "List jobs",
        {
            200: document(
                "JobList",
                "Jobs, newest first.",
                {"items": [examples.JOB], "next_cursor": None},
                Link="The next page, as `rel=next`.",
            )
        },
        parameters=[
            parameter("query", "status", "Only these states, separated by commas: `queued,running`."),
            parameter("query", "batch", "Only jobs of this batch."),
            parameter("query", "reference", "Only jobs with this reference."),
            LIMIT,
            CURSOR,
        ],
        errors=(errors.InvalidParameter, *STORED),
    ),
)
async def list_jobs(request: Request) -> Response:
    """Jobs, newest first; the cursor of the last page is null."""
    reader = Reader(
        parameters.query(request.scope["query_string"]), ("status", "batch", "reference", "limit", "cursor")
    )
    states = reader.choices("status", State)
    batch, reference = reader.text("batch", MAX_REFERENCE), reader.text("reference", MAX_REFERENCE)
    limit, cursor = reader.whole("limit", 1, _MOST), reader.text("cursor", _LONGEST_CURSOR)
    reader.done()
    page = await service(request).jobs(
        limit=limit or _USUAL, cursor=cursor, states=states, batch=batch, reference=reference
    )
    items = await listed(request, page.items)
    return answer(
        {"items": items, "next_cursor": page.next_cursor}, headers=next_page(request, page.next_cursor)
    )


def next_page(request: Request, cursor: str | None) -> dict[str, str]:
    """The Link to the next page, where there is one."""
    if cursor is None:
        return {}
    query = parameters.query(request.scope["query_string"]) | {"cursor": cursor}
    return {"Link": f'<{request.scope["path"]}?{urlencode(query)}>; rel="next"'}


@router.get(
    "/v1/jobs/{id}",
    **operation(
        "getJob",
        "Look at a job",
        {
            200: document(
                "Job", "The job as it is now.", examples.JOB, ETag="Changes with the document.", **_TAKEN
            ),
            304: plain("Nothing has changed."),
        },
        parameters=[JOB_ID, PREFER, WAIT, IF_NONE_MATCH],
        errors=(errors.InvalidParameter, *_GONE),
    ),
)
async def get_job(request: Request) -> Response:
    """The job document; with `Prefer: wait=N` or `?wait=N` when the job has ended or N seconds are over."""
    serving, wanted, preference = service(request), job_id(request), preferred(request)
    wait = asked(request) if preference is None else preference
    finding = serving.job(wanted) if wait is None else serving.wait(wanted, wait)
    job = await finding if wait is None else await while_connected(request, finding)
    shows, again = await shown(request, job)
    return revalidated(request, shows, again | applied(preference))


@router.post(
    "/v1/jobs/{id}/cancel",
    **operation(
        "cancelJob",
        "Cancel a job",
        {200: document("Job", "The job afterwards.", examples.JOB | {"status": "canceled", "results": []})},
        parameters=[JOB_ID],
        errors=_GONE,
        keyed=True,
    ),
)
@keys.repeatable
async def cancel_job(request: Request) -> Response:
    """A running job is killed and its CPU freed; a job that has ended stays as it is."""
    shows, _ = await shown(request, await service(request).cancel(job_id(request)))
    return answer(shows)


@router.post(
    "/v1/jobs:cancel",
    **operation(
        "cancelJobs",
        "Cancel all queued jobs",
        {200: document("Canceled", "How many were canceled.", {"canceled": 12})},
        parameters=[
            parameter("query", "status", "Which jobs.", {"type": "string", "enum": ["queued"]}),
            parameter("query", "batch", "Only those of this batch."),
        ],
        errors=(errors.InvalidParameter, errors.NotFound, errors.ResultExpired, *STORED),
        keyed=True,
    ),
)
@keys.repeatable
async def cancel_jobs(request: Request) -> Response:
    """Cancels every job that has not started, or those of one batch."""
    reader = Reader(parameters.query(request.scope["query_string"]), ("status", "batch"))
    status, batch = reader.choice("status", State), reader.given("batch", MAX_REFERENCE)
    if status not in {None, State.QUEUED}:
        reader.refuse("status", f"only queued jobs can be canceled in bulk, not {status}", ("queued",))
    reader.done()
    if batch is not None:
        await service(request).batches.get(batch)  # a wrong id must not look like a batch with nothing to do
    return answer({"canceled": await service(request).cancel_queued(batch)})


@router.post(
    "/v1/jobs/{id}/retry",
    **operation(
        "retryJob",
        "Run a job again",
        {202: document("Job", "The new job.", examples.QUEUED | {"retry_of": examples.JOB_ID}, **_TAKEN)},
        parameters=[JOB_ID],
        errors=(
            *_GONE,
            errors.JobNotFinished,
            errors.ImageTooLargeForMemory,
            errors.OutputTooLarge,
            errors.QueueFull,
            errors.Draining,
            errors.InsufficientStorage,
        ),
        keyed=True,
    ),
)
@keys.making(job_again)
async def retry_job(request: Request) -> Response:
    """A new job that does what an ended one was to do."""
    receipt = keys.receipt(request)
    return await _accepted(request, await service(request).retry(job_id(request), receipt=receipt), None)


@router.delete(
    "/v1/jobs/{id}",
    **operation(
        "deleteJob",
        "Remove a job",
        {204: plain("It is gone, or was gone already.")},
        parameters=[JOB_ID],
        errors=(errors.NotFound, *STORED),
    ),
)
async def delete_job(request: Request) -> Response:
    """Cancels the job if needed and removes its results."""
    await service(request).delete(job_id(request))
    return Response(None, 204)
