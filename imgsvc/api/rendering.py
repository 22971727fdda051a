"""A render as it is asked for and as it is answered, whatever it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from imgsvc import formats
from imgsvc.api import documents, names, signatures, sources
from imgsvc.api.delivery import File, Sent, accepted, deliver
from imgsvc.api.door import door, service
from imgsvc.api.sources import SourceLink
from imgsvc.api.waiting import while_connected
from imgsvc.errors import Fault, InvalidOperation
from imgsvc.jobs import Image
from imgsvc.pipeline import Pipeline
from imgsvc.pipeline.negotiation import resolve
from imgsvc.pipeline.presets import check_alone
from imgsvc.raster.geometry import Size
from imgsvc.service import Blob, Found, Hold, Render

#: Seconds that a picture whose meaning can change may be kept unasked: another client, or a later version of
#: the service, may be given another format; a preset may stand for something else tomorrow.
_FOR_NOW = 3600
_FILES = {name: (found.media_type, found.extension) for name, found in formats.registry().items()}
_NO_PIPELINE = Fault(detail="a pipeline is missing, as in /r/{image}/resize:800x/webp", pointer="", offset=0)


@dataclass(slots=True)
class Asked:
    """A request for a picture, as far as it has been understood."""

    #: There for a file of the folder of sources.
    link: SourceLink | None
    #: The unix second until which the link is signed; None where it has no end or nobody has to sign.
    until: int | None
    pipeline: Pipeline | None = None
    image: Image | None = None
    #: The file that it is of, where it is of one.
    found: Found | None = None

    @classmethod
    def by(cls, request: Request, given: Mapping[str, str]) -> Asked:
        """What its link tells before anything is looked up. Raises SignatureInvalid, SignatureExpired."""
        if sources.named(request):
            link = SourceLink(request, given)
            return cls(link, link.until)
        spelt = signatures.spellings(request, request.path_params["image"], request.path_params["ops"])
        return cls(None, signatures.of_render(request, given, spelt))

    @property
    def size(self) -> Size | None:
        """That of the image, as soon as this is known."""
        return Size(self.image.width, self.image.height) if self.image else None

    @property
    def modified_at(self) -> int | None:
        """The unix second in which its file was changed. A preset may change without it."""
        floating = self.pipeline is None or self.pipeline.floating
        return None if self.found is None or floating else sources.modified_at(self.found)

    @property
    def vary(self) -> str | None:
        """The header that has had a say in the format."""
        return "Accept" if self.pipeline is not None and self.pipeline.negotiates else None

    @property
    def cache_control(self) -> str:
        """How long the picture may be kept: at most as long as its link holds."""
        fixed = self.pipeline is not None and not (self.pipeline.negotiates or self.pipeline.floating)
        return signatures.shared_until(self.until, None if fixed and self.found is None else _FOR_NOW)


def pipeline(request: Request, written: str) -> Pipeline:
    """What is to be made, as it is written in a link. Raises InvalidOperation, also where nothing is."""
    options = door(request).options
    if not written:
        raise InvalidOperation(_NO_PIPELINE.detail, errors=(_NO_PIPELINE,))
    found = door(request).grammar.load(written)
    if options.presets_only:
        check_alone(found, options.presets)
    return found


async def answer(
    request: Request, asked: Asked, image: Image, wanted: Pipeline, hold: Hold | None = None
) -> Response:
    """The picture, kept or made while the client waits. Raises as `Renders.make`.

    `hold` makes the bytes of an image that is not stored readable for workers.
    """
    serving, choose = service(request), chosen(request, wanted, image)
    suitable = choose()
    found = await serving.renders.find(image, suitable)
    if found is None:
        quick = choose(slow=False)
        found = await while_connected(request, serving.timebox.make(image, suitable, quick, hold))
    return await _sent(request, found, asked)


def chosen(request: Request, wanted: Pipeline, image: Image) -> partial[Pipeline]:
    """Gives the pipeline with the format that suits the client, if it is to be chosen.

    `slow` may be given to it as to `resolve`.
    """
    return partial(
        resolve,
        wanted,
        accepted(request),
        has_alpha=image.has_alpha,
        source_format=image.format,
        moves=image.frames > 1,
    )


async def _sent(request: Request, render: Render, asked: Asked) -> Response:
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
