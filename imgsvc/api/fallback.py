"""What a page shows where there is no picture: a plain colour of the right size, never a broken image."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from imgsvc.api.delivery import SAFE
from imgsvc.api.envelope import called
from imgsvc.errors import Fault, ImgsvcError, InvalidParameter
from imgsvc.pipeline import Pipeline
from imgsvc.raster import placeholder
from imgsvc.raster.colour import Colour
from imgsvc.raster.geometry import Size

#: Of `fallback=1`: a grey that is seen on light and on dark pages.
_USUAL = Colour(224, 224, 224)
_YES = frozenset({"", "1", "true"})
#: What is not known of the source is taken to be a photograph.
_SOURCE = Size(6000, 4000)
#: The size where not even the pipeline is known.
_SIZE = Size(16, 16)
#: Tells programs what a page is not to see: the code of the problem.
HEADER = "Imgsvc-Problem"


def wanted(value: str | None) -> Colour | None:
    """The colour that `?fallback=` asks for, None without it. Raises InvalidParameter."""
    if value is None:
        return None
    text = value.strip()
    if text.lower() in _YES:
        return _USUAL
    try:
        return Colour.parse(text)
    except ValueError:
        allowed = f"1, {Colour.ALLOWED}"
        fault = Fault(
            detail=f"fallback is no colour; allowed is {allowed}", pointer="/fallback", allowed=allowed
        )
        raise InvalidParameter(fault.detail, errors=(fault,)) from None


def answer(
    request: Request, error: ImgsvcError, colour: Colour, pipeline: Pipeline | None, source: Size | None
) -> Response:
    """A picture in place of a problem, which is counted all the same; nobody may keep it."""
    called(request.scope).problem = error.code
    sizes = pipeline.sizes(source or _SOURCE) if pipeline is not None else ()
    size = sizes[-1] if sizes else (source if pipeline is not None and source else _SIZE)
    headers = {"Cache-Control": "no-store", HEADER: error.code, **SAFE}
    return Response(placeholder.png(size, colour), 200, headers, media_type="image/png")
