"""`/r/{image}/{ops}`: pictures on the fly, for pages and for caches between here and there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from imgsvc import errors, formats
from imgsvc.api import documents, examples, fallback, keys, names, parameters, signatures
from imgsvc.api.delivery import File, Sent, accepted, deliver
from imgsvc.api.door import answer, door, service
from imgsvc.api.openapi import STORED, document, operation, parameter, pictures, plain
from imgsvc.api.parameters import Reader
from imgsvc.api.routes.shared import IF_NONE_MATCH, RANGE, media_types
from imgsvc.api.waiting import while_connected
from imgsvc.errors import ImgsvcError, NotFound
from imgsvc.jobs import Image
from imgsvc.pipeline import Pipeline
from imgsvc.pipeline.negotiation import resolve
from imgsvc.pipeline.presets import check_alone
from imgsvc.raster.geometry import Size
from imgsvc.service import Blob, Render

router = APIRouter(tags=["Renders"])

_IMAGE = re.compile(r"img_[0-9a-f]{32}")
#: Seconds that a picture whose meaning can change may be kept unasked: another client, or a later version of
#: the service, may be given another format; a preset may stand for something else tomorrow.
_FOR_NOW = 3600
_FILES = {name: (found.media_type, found.extension) for name, found in formats.registry().items()}
_OPS = parameter(
    "path",
    "ops",
    "The pipeline, as text; its `/` stand for themselves.",
    example="resize:300x200,fit=cover/webp",
)
_FALLBACK = parameter(
    "query",
    "fallback",
    "Where there is no picture to be had, answer 200 with a plain one of this colour (`1`: a light grey), "
    "which nobody may keep; `Imgsvc-Problem` tells the problem's code.",
)


@dataclass(slots=True)
class _Asked:
    """A request, as far as it has been understood."""

    #: The unix second until which the link is signed; None where it has no end or nobody has to sign.
    until: int | None
    pipeline: Pipeline | None = None
    image: Image | None = None

    @property
    def size(self) -> Size | None:
        return Size(self.image.width, self.image.height) if self.image else None


@router.get(
    "/r/{image}/{ops:path}",
    **operation(
        "render",
        "Render an image",
        {
            200: pictures(
                "The picture.",
                media_types(),
                ETag="Its sha256.",
                Repr_Digest="Its sha256, in base64.",
                Cache_Control="For ever, where its meaning can't change.",
                Server_Timing="What took how long, or that it was kept.",
            ),
            206: pictures("A part of it.", media_types(), Content_Range="Which part."),
            304: plain("The caller has it."),
        },
        parameters=[
            parameter("path", "image", "The image's id.", example=examples.IMAGE_ID),
            _OPS,
            _FALLBACK,
            IF_NONE_MATCH,
            RANGE,
            *signatures.DESCRIBED,
        ],
        errors=(
            errors.SignatureInvalid,
            errors.SignatureExpired,
            errors.NotFound,
            errors.InvalidOperation,
            errors.InvalidParameter,
            errors.RangeNotSatisfiable,
            errors.ImageCorrupt,
            errors.ImageTooComplex,
            errors.ImageTooLargeForMemory,
            errors.OutputTooLarge,
            errors.ProcessingTimeout,
            errors.WorkerCrashed,
            errors.QueueTimeout,
            errors.Draining,
            errors.InsufficientStorage,
            *STORED,
        ),
    ),
)
async def render(request: Request) -> Response:
    """A pipeline's picture of a stored image: what an `<img src>` needs. It is made once and kept as long as
    there is room; requests for the same picture share one task. Unknown query parameters are ignored. Where
    the service has keys (`IMGSVC_SIGNING_KEYS`), the link must be signed.
    """
    values = parameters.query(request.scope["query_string"])
    # Before anything is looked up or understood, and never hidden by a fallback.
    asked = _Asked(until=signatures.of_render(request, values))
    colour = fallback.wanted(values.get("fallback"))
    try:
        return await _answered(request, asked)
    except ImgsvcError as error:
        if colour is None:
            raise
        return fallback.answer(request, error, colour, asked.pipeline, asked.size)


async def _answered(request: Request, asked: _Asked) -> Response:
    asked.pipeline = wanted = _pipeline(request)
    renders = service(request).renders
    asked.image = image = await renders.image(_image_id(request))
    pipeline = resolve(
        wanted,
        accepted(request),
        has_alpha=image.has_alpha,
        source_format=image.format,
        moves=image.frames > 1,
    )
    found = await renders.find(image, pipeline)
    if found is None:
        found = await while_connected(request, renders.make(image, pipeline))
    return await _sent(request, found, wanted, asked.until)


def _pipeline(request: Request) -> Pipeline:
    """What is to be rendered; raises InvalidOperation."""
    options = door(request).options
    pipeline = door(request).grammar.load(request.path_params["ops"])
    if options.presets_only:
        check_alone(pipeline, options.presets)
    return pipeline


async def _sent(request: Request, found: Render, wanted: Pipeline, until: int | None) -> Response:
    """A render as an answer; its blob is closed with it, or at once where none of it is sent."""
    entry = found.entry
    media_type, extension = _FILES[entry.format]

    async def blob() -> Blob:
        return found.blob

    file = File(
        size=entry.bytes,
        sha256=entry.sha256,
        content_type=media_type,
        disposition=names.disposition("inline", f"{entry.image}.{extension}"),
        expires_at=None,
        server_timing=documents.render_timing(found.way.value, found.queue_ms, found.steps),
        cache_control=signatures.shared_until(
            until, _FOR_NOW if wanted.negotiates or wanted.floating else None
        ),
        vary="Accept" if wanted.negotiates else None,
    )
    try:
        response = await deliver(request, file, blob)
    except BaseException:
        await found.blob.close()
        raise
    if not isinstance(response, Sent):
        await found.blob.close()
    return response


def _image_id(request: Request) -> str:
    found: str = request.path_params["image"]
    if not _IMAGE.fullmatch(found):
        raise NotFound("there is no such image")
    return found


@router.post(
    "/v1/cache:purge",
    **operation(
        "purgeCache",
        "Purge an image's renders",
        {200: document("Purged", "They are gone.", {"image": examples.IMAGE_ID, "purged": 3})},
        parameters=[parameter("query", "image", "The image's id.", example=examples.IMAGE_ID)],
        errors=(errors.NotFound, errors.InvalidParameter, *STORED),
        keyed=True,
    ),
)
@keys.repeatable
async def purge_cache(request: Request) -> Response:
    """Removes everything that was made of an image on the fly; the image itself stays. What is asked for
    afterwards is made anew.
    """
    reader = Reader(parameters.query(request.scope["query_string"]), ("image",))
    image = reader.given("image", 100)
    if image is None:
        reader.refuse("image", "image is missing; give the id of the image whose renders are to go")
    elif not _IMAGE.fullmatch(image):
        raise NotFound("there is no such image")
    reader.done()
    purged = await service(request).purge_renders(image or "")
    return answer({"image": image, "purged": purged})
