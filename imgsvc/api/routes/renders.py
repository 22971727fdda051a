"""`/r/{image}/{ops}`: pictures on the fly, for pages and for caches between here and there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from imgsvc import errors, formats
from imgsvc.api import (
    conditional,
    documents,
    examples,
    fallback,
    names,
    parameters,
    signatures,
    sources,
)
from imgsvc.api.delivery import File, Sent, accepted, deliver, http_date
from imgsvc.api.door import door, is_image_id, service
from imgsvc.api.openapi import STORED, operation, parameter, pictures, plain
from imgsvc.api.routes.shared import IF_MODIFIED_SINCE, IF_NONE_MATCH, RANGE, media_types
from imgsvc.api.sources import SourceLink
from imgsvc.api.waiting import while_connected
from imgsvc.errors import (
    Fault,
    ImgsvcError,
    InvalidOperation,
    NotFound,
    SignatureExpired,
    SignatureInvalid,
)
from imgsvc.jobs import Image
from imgsvc.pipeline import Pipeline
from imgsvc.pipeline.negotiation import resolve
from imgsvc.pipeline.presets import check_alone
from imgsvc.raster.geometry import Size
from imgsvc.service import Blob, Found, Hold, Render

router = APIRouter(tags=["Renders"])

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


_NO_PIPELINE = Fault(detail="a pipeline is missing, as in /r/{image}/resize:800x/webp", pointer="", offset=0)


@dataclass(slots=True)
class _Asked:
    """A request, as far as it has been understood."""

    #: There for a file of the folder of sources.
    link: SourceLink | None
    #: The unix second until which the link is signed; None where it has no end or nobody has to sign.
    until: int | None
    pipeline: Pipeline | None = None
    image: Image | None = None
    found: Found | None = None

    @classmethod
    def by(cls, request: Request, given: Mapping[str, str]) -> _Asked:
        """Raises SignatureInvalid, SignatureExpired."""
        if sources.named(request):
            link = SourceLink(request, given)
            return cls(link, link.until)
        spelt = signatures.spellings(request, request.path_params["image"], request.path_params["ops"])
        return cls(None, signatures.of_render(request, given, spelt))

    @property
    def size(self) -> Size | None:
        return Size(self.image.width, self.image.height) if self.image else None

    @property
    def modified_at(self) -> int | None:
        """The unix second in which its file was changed. A preset may change without it."""
        floating = self.pipeline is None or self.pipeline.floating
        return None if self.found is None or floating else sources.modified_at(self.found)

    @property
    def vary(self) -> str | None:
        return "Accept" if self.pipeline is not None and self.pipeline.negotiates else None

    @property
    def cache_control(self) -> str:
        fixed = self.pipeline is not None and not (self.pipeline.negotiates or self.pipeline.floating)
        return signatures.shared_until(self.until, None if fixed and self.found is None else _FOR_NOW)


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
    asked = _Asked.by(request, values)
    colour = fallback.wanted(values.get("fallback"))
    try:
        if asked.link is None:
            return await _of_stored(request, asked)
        return await _of_file(request, asked, asked.link)
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


async def _of_stored(request: Request, asked: _Asked) -> Response:
    image = _image_id(request)
    asked.pipeline = _pipeline(request, request.path_params["ops"])
    asked.image = await service(request).renders.image(image)
    return await _rendered(request, asked, asked.image, asked.pipeline)


async def _of_file(request: Request, asked: _Asked, link: SourceLink) -> Response:
    folder = service(request).sources
    asked.found, written = await link.find(folder)
    asked.until = link.until
    asked.pipeline = _pipeline(request, written)
    modified_at = asked.modified_at
    if modified_at is not None and conditional.unmodified(request.headers, modified_at):
        return await _not_modified(request, asked, asked.pipeline, modified_at)
    async with folder.look(asked.found) as source:
        asked.image = source.image
        return await _rendered(request, asked, source.image, asked.pipeline, partial(folder.copied, source))


async def _not_modified(request: Request, asked: _Asked, wanted: Pipeline, modified_at: int) -> Response:
    """304 for a date, with the picture's tag where the picture is kept: nothing is read or made for it."""
    serving = service(request)
    image = None if asked.found is None else serving.sources.remembered(asked.found)
    kept = None if image is None else await serving.renders.look(image, _chosen(request, wanted, image)())
    told = {
        "ETag": None if kept is None else documents.etag(kept.sha256),
        "Cache-Control": asked.cache_control,
        "Last-Modified": http_date(modified_at),
        "Vary": asked.vary,
    }
    return Response(None, 304, {name: value for name, value in told.items() if value is not None})


def _pipeline(request: Request, written: str) -> Pipeline:
    """What is to be rendered; raises InvalidOperation."""
    options = door(request).options
    if not written:
        raise InvalidOperation(_NO_PIPELINE.detail, errors=(_NO_PIPELINE,))
    pipeline = door(request).grammar.load(written)
    if options.presets_only:
        check_alone(pipeline, options.presets)
    return pipeline


async def _rendered(
    request: Request, asked: _Asked, image: Image, wanted: Pipeline, hold: Hold | None = None
) -> Response:
    serving, chosen = service(request), _chosen(request, wanted, image)
    pipeline = chosen()
    found = await serving.renders.find(image, pipeline)
    if found is None:
        quick = chosen(slow=False)
        found = await while_connected(request, serving.timebox.make(image, pipeline, quick, hold))
    return await _sent(request, found, asked)


def _chosen(request: Request, wanted: Pipeline, image: Image) -> partial[Pipeline]:
    """Gives the pipeline with the format that suits the client, if it is to be chosen."""
    return partial(
        resolve,
        wanted,
        accepted(request),
        has_alpha=image.has_alpha,
        source_format=image.format,
        moves=image.frames > 1,
    )


async def _sent(request: Request, render: Render, asked: _Asked) -> Response:
    """A render as an answer; its blob is closed with it, or at once where none of it is sent."""
    entry, found = render.entry, asked.found
    media_type, extension = _FILES[entry.format]
    stem = None if found is None else sources.filename(found)

    async def blob() -> Blob:
        return render.blob

    file = File(
        size=entry.bytes,
        sha256=entry.sha256,
        content_type=media_type,
        disposition=names.disposition("inline", names.result_name(stem, entry.image, None, extension)),
        expires_at=None,
        server_timing=documents.render_timing(render.way.value, render.queue_ms, render.steps),
        cache_control="no-store" if render.passing else asked.cache_control,
        vary=asked.vary,
        modified_at=asked.modified_at,
        image=None if found is None else entry.image,
    )
    try:
        response = await deliver(request, file, blob)
    except BaseException:
        await render.blob.close()
        raise
    if not isinstance(response, Sent):
        await render.blob.close()
    return response


def _image_id(request: Request) -> str:
    found: str = request.path_params["image"]
    if not is_image_id(found):
        raise NotFound("there is no such image")
    return found
