"""What is kept of renders: forgotten on request."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from imgsvc import errors
from imgsvc.api import examples, keys, parameters
from imgsvc.api.door import answer, is_image_id, service
from imgsvc.api.openapi import STORED, document, operation, parameter
from imgsvc.api.parameters import Reader
from imgsvc.errors import NotFound

router = APIRouter(tags=["Renders"])


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
    image = reader.text("image", 100)
    if image is None:
        reader.refuse("image", "image is missing; give the id of the image whose renders are to go")
    elif not is_image_id(image):
        raise NotFound("there is no such image")
    reader.done()
    purged = await service(request).images.purge_renders(image or "")
    return answer({"image": image, "purged": purged})
