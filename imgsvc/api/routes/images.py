"""`/v1/images`: stored sources."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from imgsvc import errors, formats
from imgsvc.api import documents, examples, keys, names, parameters
from imgsvc.api.delivery import File, deliver
from imgsvc.api.door import answer, image_id, revalidated, service
from imgsvc.api.openapi import STORED, UPLOAD, document, operation, pictures, plain
from imgsvc.api.parameters import Reader
from imgsvc.api.routes.jobs import next_page
from imgsvc.api.routes.shared import (
    CURSOR,
    IF_NONE_MATCH,
    IMAGE_ID,
    LIMIT,
    RANGE,
    image_body,
    media_types,
)
from imgsvc.api.uploads import Reads, received
from imgsvc.jobs import Image

router = APIRouter(tags=["Images"])

#: How many items a list has when nobody says, and at most.
_USUAL, _MOST = 50, 200
_LONGEST_CURSOR = 512


def _nothing(values: Mapping[str, str], _complete: bool) -> None:
    """Storing an image takes no parameters."""
    Reader(values, ()).done()


def _stored(image: Image, *, new: bool) -> Response:
    shows = documents.image(image)
    return answer(shows, 201 if new else 200, {"Location": shows["links"]["self"]})


async def _image_again(request: Request, id: str) -> Response:
    return _stored(await service(request).images.get(id), new=True)


@router.post(
    "/v1/images",
    **operation(
        "createImage",
        "Store an image",
        {
            201: document("Image", "It is stored.", examples.IMAGE, Location="Where it is."),
            200: document(
                "Image", "The same bytes were there already.", examples.IMAGE, Location="Where it is."
            ),
        },
        body=image_body(),
        errors=(*UPLOAD, errors.QueueFull, *STORED),
        keyed=True,
    ),
)
@keys.making(_image_again)
async def create_image(request: Request) -> Response:
    """Stores an image for later jobs, until it is deleted (or for `IMAGE_RETENTION`)."""
    serving = service(request)
    async with (
        keys.admitted(request, serving.admission.aside),
        received(request, serving.intake, Reads((), _nothing)) as upload,
    ):
        receipt = keys.receipt(request, upload.staged.sha256)
        image, new = await serving.images.add(upload.staged, receipt=receipt)
    return _stored(image, new=new)


@router.get(
    "/v1/images",
    **operation(
        "listImages",
        "List images",
        {
            200: document(
                "ImageList",
                "Images, newest first.",
                {"items": [examples.IMAGE], "next_cursor": None},
                Link="The next page, as `rel=next`.",
            )
        },
        parameters=[LIMIT, CURSOR],
        errors=(errors.InvalidParameter, *STORED),
    ),
)
async def list_images(request: Request) -> Response:
    """Stored images, newest first; the cursor of the last page is null."""
    reader = Reader(parameters.query(request.scope["query_string"]), ("limit", "cursor"))
    limit, cursor = reader.whole("limit", 1, _MOST), reader.text("cursor", _LONGEST_CURSOR)
    reader.done()
    page = await service(request).images.list(limit=limit or _USUAL, cursor=cursor)
    items = [documents.image(image) for image in page.items]
    return answer(
        {"items": items, "next_cursor": page.next_cursor}, headers=next_page(request, page.next_cursor)
    )


@router.get(
    "/v1/images/{id}",
    **operation(
        "getImage",
        "Look at an image",
        {
            200: document("Image", "What is known of it.", examples.IMAGE, ETag="Changes with the document."),
            304: plain("Nothing has changed."),
        },
        parameters=[IMAGE_ID, IF_NONE_MATCH],
        errors=(errors.NotFound, *STORED),
    ),
)
async def get_image(request: Request) -> Response:
    """Facts from the image's header: format, size as displayed, frames, alpha."""
    return revalidated(request, documents.image(await service(request).images.get(image_id(request))))


@router.get(
    "/v1/images/{id}/content",
    **operation(
        "getImageContent",
        "Fetch the original",
        {
            200: pictures("The bytes as they came.", media_types(), ETag="Their sha256."),
            206: pictures("A part of them.", media_types(), Content_Range="Which part."),
            304: plain("The caller has it."),
        },
        parameters=[IMAGE_ID, IF_NONE_MATCH, RANGE],
        errors=(errors.NotFound, errors.ResultExpired, errors.RangeNotSatisfiable, *STORED),
    ),
)
async def get_image_content(request: Request) -> Response:
    """The original, always as an attachment: it was made by somebody else."""
    image = await service(request).images.get(image_id(request))
    extension = formats.registry()[image.format].extension
    file = File(
        size=image.bytes,
        sha256=image.sha256,
        content_type=image.content_type,
        disposition=names.disposition("attachment", f"{image.id}.{extension}"),
        expires_at=image.expires_at,
    )
    return await deliver(request, file, partial(service(request).open_blob, image))


@router.delete(
    "/v1/images/{id}",
    **operation(
        "deleteImage",
        "Remove an image",
        {204: plain("It is gone, or was gone already.")},
        parameters=[IMAGE_ID],
        errors=(errors.NotFound, errors.ImageInUse, *STORED),
    ),
)
async def delete_image(request: Request) -> Response:
    """Removes the image, unless queued or running jobs need it."""
    await service(request).images.delete(image_id(request))
    return Response(None, 204)
