"""Renders of files of the folder of sources: those whose date the caller has are not even read."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from imgsvc.api import conditional, documents, rendering
from imgsvc.api.delivery import http_date
from imgsvc.api.door import service
from imgsvc.api.rendering import Asked
from imgsvc.api.sources import SourceLink
from imgsvc.pipeline import Pipeline


async def of_file(request: Request, asked: Asked, link: SourceLink) -> Response:
    """The picture of the file that a link names. Raises as `SourceLink.find`, `Sources.look` and a render."""
    folder = service(request).sources
    asked.found, written = await link.find(folder)
    asked.until = link.until
    asked.pipeline = rendering.pipeline(request, written)
    modified_at = asked.modified_at
    if modified_at is not None and conditional.unmodified(request.headers, modified_at):
        return await _not_modified(request, asked, asked.pipeline, modified_at)
    async with folder.look(asked.found) as source:
        asked.image = source.image
        return await rendering.answer(
            request, asked, source.image, asked.pipeline, partial(folder.copied, source)
        )


async def _not_modified(request: Request, asked: Asked, wanted: Pipeline, modified_at: int) -> Response:
    """304 for a date, with the picture's tag where the picture is kept: nothing is read or made for it."""
    serving = service(request)
    image = None if asked.found is None else serving.sources.remembered(asked.found)
    kept = None
    if image is not None:
        kept = await serving.renders.look(image, rendering.chosen(request, wanted, image)())
    told = {
        "ETag": None if kept is None else documents.etag(kept.sha256),
        "Cache-Control": asked.cache_control,
        "Last-Modified": http_date(modified_at),
        "Vary": asked.vary,
    }
    return Response(None, 304, {name: value for name, value in told.items() if value is not None})
