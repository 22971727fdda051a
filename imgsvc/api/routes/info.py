"""`/v1/images/{id}/info`: what an image is, what it says of itself, and what it looks like."""

from __future__ import annotations

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from imgsvc import errors
from imgsvc.api import documents, examples, parameters
from imgsvc.api.door import image_id, revalidated, service
from imgsvc.api.openapi import STORED, document, operation, parameter, plain
from imgsvc.api.parameters import Reader
from imgsvc.api.routes.shared import IF_NONE_MATCH, IMAGE_ID
from imgsvc.api.waiting import while_connected

router = APIRouter(tags=["Images"])

#: How long it may be kept unasked, by the caller alone: it changes only with the service, but goes with the
#: image, and may tell who took the photograph and where.
_KEPT = "private, max-age=3600"
_GPS = parameter(
    "query", "gps", "`1` tells where the photograph was taken, if the file says so.", {"type": "boolean"}
)


@router.get(
    "/v1/images/{id}/info",
    **operation(
        "getImageInfo",
        "Look into an image",
        {
            200: document(
                "Info",
                "What it is, says and looks like.",
                examples.INFO,
                ETag="Changes with the document.",
                Server_Timing="What took how long, or that it was kept.",
            ),
            304: plain("Nothing has changed."),
        },
        parameters=[IMAGE_ID, _GPS, IF_NONE_MATCH],
        errors=(
            errors.NotFound,
            errors.InvalidParameter,
            errors.ImageCorrupt,
            errors.ImageTooComplex,
            errors.ImageTooLargeForMemory,
            errors.ProcessingTimeout,
            errors.WorkerCrashed,
            errors.QueueTimeout,
            errors.Draining,
            errors.InsufficientStorage,
            *STORED,
        ),
    ),
)
async def get_image_info(request: Request) -> Response:
    """Colours, hashes, a placeholder, the name of the ICC profile and the EXIF fields. A worker finds them in
    one reduced decode, and they are kept: asked again, nobody has anything to do. When no worker is free
    within `SYNC_WAIT` the answer is 503 `queue-timeout`.
    """
    reader = Reader(parameters.query(request.scope["query_string"]), ("gps",))
    gps = reader.flag("gps")
    reader.done()
    renders = service(request).renders
    image = await renders.image(image_id(request))
    found = await while_connected(request, renders.analysis(image))
    async with found.blob as blob:
        told = orjson.loads(b"".join([piece async for piece in blob.chunks()]))
    headers = {
        "Cache-Control": _KEPT,
        "Server-Timing": documents.render_timing(found.way.value, found.queue_ms, found.steps),
    }
    return revalidated(request, documents.info(image, told, gps=gps), headers)
