"""`POST /v1/process`: image in, image out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from imgsvc import errors, formats
from imgsvc.api import documents, keys, names
from imgsvc.api.conditional import Span
from imgsvc.api.delivery import File, Sent, accepted
from imgsvc.api.door import door, service
from imgsvc.api.openapi import UPLOAD, operation, pictures
from imgsvc.api.parameters import Reader
from imgsvc.api.routes.shared import WISHES, image_body, media_types, wish_parameters
from imgsvc.api.uploads import Reads, received
from imgsvc.api.waiting import while_connected
from imgsvc.pipeline import Pipeline
from imgsvc.service import Processed

router = APIRouter(tags=["Process"])

_EXTENSIONS = {found.media_type: found.extension for found in formats.registry().values()}


@router.post(
    "/v1/process",
    **operation(
        "process",
        "Process an image now",
        {
            200: pictures(
                "The result.",
                media_types(),
                Server_Timing="What took how long.",
                Content_Disposition="The source's name with the result's extension.",
                ETag="The result's sha256.",
                Vary="`Accept` where the format is `auto`.",
            )
        },
        parameters=wish_parameters(WISHES[:1]),
        body=image_body(WISHES[:1]),
        errors=(
            *UPLOAD,
            errors.InvalidOperation,
            errors.ImageTooLargeForMemory,
            errors.OutputTooLarge,
            errors.ProcessingTimeout,
            errors.WorkerCrashed,
            errors.StorageUnavailable,
        ),
        keyed=True,
    ),
)
@keys.making()
async def process(request: Request) -> Response:
    """Runs a pipeline on the image in the body and answers with the result; nothing is kept (under an
    `Idempotency-Key` the answer is, for as long as the key).

    Without `ops` the image is only encoded again. With `auto` the request's `Accept` header chooses the
    format, AVIF only where that takes no longer than `AVIF_BUDGET`. When no worker is free within `SYNC_WAIT`
    the answer is 503 `queue-timeout`; a client that goes away takes its work with it.
    """
    serving, grammar = service(request), door(request).submissions

    def read(values: Mapping[str, str], _complete: bool) -> Pipeline:
        Reader(values, ("ops",)).done()
        return grammar.ops(values.get("ops"))

    reads = Reads(("ops",), read)
    async with (
        keys.admitted(request, partial(serving.admission.aside, call=True)),
        received(request, serving.intake, reads, digest=False) as upload,
    ):
        pipeline = upload.wish
        accept = accepted(request) if pipeline.negotiates else None
        told = [accept] if pipeline.negotiates else []
        keep = keys.room(request, [pipeline.written, upload.staged.sha256, upload.filename, *told])
        processing = serving.process(upload.staged, pipeline, accept=accept, keep=keep)
        processed = await while_connected(request, processing)
    return _answer(processed, upload.filename, "Accept" if pipeline.negotiates else None)


def _answer(processed: Processed, filename: str | None, vary: str | None) -> Response:
    result = processed.result
    extension = _EXTENSIONS.get(result.content_type, "bin")

    file = File(
        size=result.bytes,
        sha256=result.sha256,
        content_type=result.content_type,
        disposition=names.disposition("inline", names.result_name(filename, "image", None, extension)),
        expires_at=None,
        server_timing=documents.server_timing(processed.queue_ms, processed.report.steps),
        vary=vary,
    )
    # It is here once: there is nothing to ask again for, and no part of it to ask for.
    headers = file.headers() | {"Cache-Control": "no-store", "Content-Length": str(result.bytes)}
    del headers["Accept-Ranges"]
    return Sent(processed.blob, Span(0, result.bytes), 200, headers, media_type=result.content_type)
