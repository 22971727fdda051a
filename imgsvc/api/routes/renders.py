"""`/r/{image}/{ops}`: pictures on the fly, for pages and for caches between here and there."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from imgsvc import errors
from imgsvc.api import examples, fallback, parameters, rendering, signatures
from imgsvc.api.door import is_image_id, service
from imgsvc.api.openapi import STORED, operation, parameter, pictures, plain
from imgsvc.api.rendering import Asked
from imgsvc.api.routes.shared import IF_MODIFIED_SINCE, IF_NONE_MATCH, RANGE, media_types
from imgsvc.api.source_renders import of_file
from imgsvc.errors import ImgsvcError, NotFound, SignatureExpired, SignatureInvalid

router = APIRouter(tags=["Renders"])

_OPS = parameter(
    "path",
    "ops",
    "The pipeline, as text; its `/` stand for themselves.",
    example="resize:300x200,fit=cover/webp",
)
_IMAGE_OR_FILE = parameter(
    "path",
    "image",
    "The image's id; or `@` and the path of a file in the folder of sources, whose `/` stand for themselves.",
    example=examples.IMAGE_ID,
)
_FALLBACK = parameter(
    "query",
    "fallback",
    "Where there is no picture to be had, answer 200 with a plain one of this colour (`1`: a light grey), "
    "which nobody may keep; `Imgsvc-Problem` tells the problem's code.",
)


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
                Vary="`Accept`, where that has chosen the format.",
                Server_Timing="What took how long, or that it was kept.",
            ),
            206: pictures("A part of it.", media_types(), Content_Range="Which part."),
            304: plain("The caller has it."),
        },
        parameters=[
            _IMAGE_OR_FILE,
            _OPS,
            _FALLBACK,
            IF_NONE_MATCH,
            IF_MODIFIED_SINCE,
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
    the service has keys (`IMGSVC_SIGNING_KEYS`), the link must be signed. With `auto` the request's `Accept`
    header chooses the format. An AVIF that `auto` has chosen and that would take longer than `AVIF_BUDGET` is
    WebP for now (`no-store`), and AVIF for a later request.

    `/r/@path/to/file.jpg/{ops}` is the same for a file of the folder of sources (`IMGSVC_SOURCES_DIR`).
    """
    values = parameters.query(request.scope["query_string"])
    # Before anything is looked up or understood, and never hidden by a fallback.
    asked = Asked.by(request, values)
    colour = fallback.wanted(values.get("fallback"))
    try:
        if asked.link is None:
            return await _of_stored(request, asked)
        return await of_file(request, asked, asked.link)
    except (SignatureInvalid, SignatureExpired):
        raise
    except ImgsvcError as error:
        if colour is None:
            raise
        return fallback.answer(request, error, colour, asked.pipeline, asked.size)


@router.get("/r/{image}", include_in_schema=False)
async def render_nothing(request: Request) -> Response:
    """Tells whoever has left out the pipeline that this is what is missing; 403 first, as `render`."""
    request.path_params["ops"] = ""
    return await render(request)


async def _of_stored(request: Request, asked: Asked) -> Response:
    image = _image_id(request)
    asked.pipeline = rendering.pipeline(request, request.path_params["ops"])
    asked.image = await service(request).renders.image(image)
    return await rendering.answer(request, asked, asked.image, asked.pipeline)


def _image_id(request: Request) -> str:
    found: str = request.path_params["image"]
    if not is_image_id(found):
        raise NotFound("there is no such image")
    return found
