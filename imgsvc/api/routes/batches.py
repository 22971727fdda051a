"""`/v1/batches`: jobs that belong together."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from imgsvc import errors
from imgsvc.api import documents, examples, keys, parameters
from imgsvc.api.door import answer, batch_id, door, revalidated, service
from imgsvc.api.openapi import BINARY, STORED, Json, document, operation, plain
from imgsvc.api.parameters import Reader
from imgsvc.api.routes.jobs import next_page
from imgsvc.api.routes.shared import BATCH_ID, CURSOR, IF_NONE_MATCH, LIMIT, PREFER, WAIT, WISHES, image_body
from imgsvc.api.several import all_received
from imgsvc.api.submissions import BATCH_FIELDS, BATCH_FORM_FIELDS, MAX_NAME
from imgsvc.api.uploads import Kind, Reads, declared, kind, read_json
from imgsvc.api.waiting import applied, asked, preferred, while_connected
from imgsvc.batches import Batch
from imgsvc.errors import MalformedRequest
from imgsvc.jobs import image_id
from imgsvc.service import Incoming, Service
from imgsvc.service.intake import Grown

router = APIRouter(tags=["Batches"])

#: Where forms come that bring many images.
PATH = "/v1/batches"
#: How many items a list has when nobody says, and at most.
_USUAL, _MOST = 50, 200
_LONGEST_CURSOR = 512
#: Failed jobs that a batch's document and those of a list name; `GET /v1/jobs?batch=…&status=failed` has all.
_FAILURES, _FAILURES_LISTED = 100, 10
_GONE: tuple[type[errors.ImgsvcError], ...] = (errors.NotFound, errors.ResultExpired, *STORED)
_LOCATION = {"Location": "Where the batch is."}
_NAME: tuple[str, str, Json] = ("name", "What people call it.", {"type": "string", "maxLength": MAX_NAME})


def _body() -> Json:
    """JSON that opens a batch, or a form that makes a whole one."""
    several = [wish for wish in WISHES if wish[0] in BATCH_FORM_FIELDS]
    body = image_body((*several, _NAME), raw=False)
    form = body["content"]["multipart/form-data"]["schema"]
    form["properties"]["file"] = {
        "type": "array",
        "items": BINARY,
        "description": "The images, one part each; fields may come before or after them.",
    }
    body["content"]["multipart/form-data"]["example"] = {"file": ["(an image)"], "ops": examples.OPS}
    fields = {name: schema | {"description": text} for name, text, schema in (_NAME, *WISHES)}
    body["content"]["application/json"] = {
        "schema": {"type": "object", "properties": {name: fields[name] for name in BATCH_FIELDS}},
        "example": {"name": "holidays"},
    }
    body["description"] = "What to open: a batch that jobs join one by one; or a form with all of its images."
    return body | {"required": False}


async def _again_made(request: Request, id: str) -> Response:
    """The answer to an opening or a form, from the batch that it made."""
    status = 202 if kind(request) is Kind.MULTIPART else 201
    return await _made(request, status, await service(request).batches.get(id))


@router.post(
    PATH,
    **operation(
        "createBatch",
        "Open a batch, or make one of many files",
        {
            201: document("Batch", "It is open: jobs may join.", examples.OPENED, **_LOCATION),
            202: document("Batch", "All files are accepted, and it is closed.", examples.BATCH, **_LOCATION),
        },
        body=_body(),
        errors=(
            errors.MalformedMultipart,
            errors.BodyTooLarge,
            errors.MissingFile,
            errors.TooManyFiles,
            errors.InvalidOperation,
            errors.InvalidParameter,
            errors.QueueFull,
            errors.Draining,
            errors.InsufficientStorage,
            *STORED,
        ),
        keyed=True,
    ),
)
@keys.making(_again_made)
async def create_batch(request: Request) -> Response:
    """Opens a batch; jobs join it with `batch` and, to be safe to repeat, `reference`.

    A form with many parts `file` opens, fills and closes one. Its fields hold for every file; a file that is
    not a picture becomes a job that has failed.
    """
    serving = service(request)
    if kind(request) is Kind.MULTIPART:
        return await _made(request, 202, await _fill(request, serving))
    values = await _opening(request)
    wish = door(request).submissions.batch(values)
    batch = await serving.open_batch(wish, receipt=keys.receipt(request, wish.meaning))
    return await _made(request, 201, batch)


async def _fill(request: Request, serving: Service) -> Batch:
    read = door(request).submissions.filled
    reads = Reads(BATCH_FORM_FIELDS, lambda values, complete: read(values, complete=complete))
    # What can never wait together is refused for good.
    most = min(door(request).options.batch_files, serving.policy.queue_limit)
    # What was done before under its key only has to be recognized.
    keep = not keys.known(request)

    def begin(grown: Grown) -> AbstractAsyncContextManager[Incoming]:
        return serving.intake.begin(lenient=True, keep=keep, grown=grown)

    async with (
        keys.admitted(request, partial(serving.admission.job, declared(request))) as place,
        all_received(request, begin, reads, most=most, grown=place.grow if place else None) as uploads,
    ):
        batch, wish = uploads.wish
        files = [[image_id(file.sha256), file.filename] for file in uploads.files]
        receipt = keys.receipt(request, [batch.meaning, wish.meaning, files])
        return await serving.fill_batch(batch, wish, uploads.files, place=place, receipt=receipt)


async def _opening(request: Request) -> Mapping[str, object]:
    """What a batch is opened with: JSON, or a query without a body."""
    values = parameters.query(request.scope["query_string"])
    data = await read_json(request)
    if not data.strip():
        return values
    if values:
        raise MalformedRequest("with a JSON body all parameters belong in the body")
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise MalformedRequest('a batch is opened with a JSON object such as {"name": "holidays"}, or a form')
    return found


async def _made(request: Request, status: int, batch: Batch) -> Response:
    location = {"Location": documents.batch_path(batch.id)}
    return answer(await _shown(service(request), batch), status, location | _again(request, batch))


@router.get(
    PATH,
    **operation(
        "listBatches",
        "List batches",
        {
            200: document(
                "BatchList",
                "Batches, newest first.",
                {"items": [examples.BATCH], "next_cursor": None},
                Link="The next page, as `rel=next`.",
            )
        },
        parameters=[LIMIT, CURSOR],
        errors=(errors.InvalidParameter, *STORED),
    ),
)
async def list_batches(request: Request) -> Response:
    """Batches, newest first; the cursor of the last page is null."""
    reader = Reader(parameters.query(request.scope["query_string"]), ("limit", "cursor"))
    limit, cursor = reader.whole("limit", 1, _MOST), reader.text("cursor", _LONGEST_CURSOR)
    reader.done()
    page = await service(request).batches.list(limit=limit or _USUAL, cursor=cursor)
    items = [await _shown(service(request), batch, _FAILURES_LISTED) for batch in page.items]
    return answer(
        {"items": items, "next_cursor": page.next_cursor}, headers=next_page(request, page.next_cursor)
    )


@router.get(
    PATH + "/{id}",
    **operation(
        "getBatch",
        "Look at a batch",
        {
            200: document(
                "Batch",
                "The batch as it is now.",
                examples.BATCH,
                ETag="Changes with the document.",
                Retry_After="Seconds after which asking is worth while.",
                Preference_Applied="The wait that was granted.",
            ),
            304: plain("Nothing has changed."),
        },
        parameters=[BATCH_ID, PREFER, WAIT, IF_NONE_MATCH],
        errors=(errors.InvalidParameter, *_GONE),
    ),
)
async def get_batch(request: Request) -> Response:
    """How many of its jobs are in which state, and the first that have failed.

    With `Prefer: wait=N` or `?wait=N` when the batch has ended or N seconds are over.
    """
    batches, wanted, preference = service(request).batches, batch_id(request), preferred(request)
    wait = asked(request) if preference is None else preference
    finding = batches.get(wanted) if wait is None else batches.wait(wanted, wait)
    batch = await finding if wait is None else await while_connected(request, finding)
    told = _again(request, batch) | applied(preference)
    return revalidated(request, await _shown(service(request), batch), told)


@router.post(
    PATH + "/{id}/close",
    **operation(
        "closeBatch",
        "Close a batch",
        {200: document("Batch", "The batch afterwards.", examples.BATCH | {"status": "closed"})},
        parameters=[BATCH_ID],
        errors=_GONE,
        keyed=True,
    ),
)
@keys.repeatable
async def close_batch(request: Request) -> Response:
    """No job joins any more; the batch ends with its last job. One that is closed stays as it is."""
    batch = await service(request).batches.close(batch_id(request))
    return answer(await _shown(service(request), batch))


@router.post(
    PATH + "/{id}/cancel",
    **operation(
        "cancelBatch",
        "Cancel a batch",
        {200: document("Batch", "The batch afterwards.", examples.BATCH | {"status": "canceled"})},
        parameters=[BATCH_ID],
        errors=_GONE,
        keyed=True,
    ),
)
@keys.repeatable
async def cancel_batch(request: Request) -> Response:
    """Closes it and cancels its queued and running jobs; a batch that has ended stays as it is."""
    batch = await service(request).batches.cancel(batch_id(request))
    return answer(await _shown(service(request), batch))


@router.delete(
    PATH + "/{id}",
    **operation(
        "deleteBatch",
        "Remove a batch",
        {204: plain("It is gone, or was gone already.")},
        parameters=[BATCH_ID],
        errors=(errors.NotFound, *STORED),
    ),
)
async def delete_batch(request: Request) -> Response:
    """Cancels what has not ended, and removes the batch, its jobs and their results."""
    await service(request).batches.delete(batch_id(request))
    return Response(None, 204)


async def _shown(serving: Service, batch: Batch, most: int = _FAILURES) -> documents.Document:
    return documents.batch(batch, await serving.batches.failures(batch, limit=most))


def _again(request: Request, batch: Batch) -> dict[str, str]:
    """When it is worth asking again."""
    if batch.status.ended:
        return {}
    seconds = service(request).batches.left_s(batch)
    return {"Retry-After": str(max(1, min(300, round(seconds))))}
