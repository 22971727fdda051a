"""`/v1/operations`: the vocabulary, and how a pipeline is understood."""

from __future__ import annotations

import re
from itertools import pairwise

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from imgsvc import errors
from imgsvc.api import examples, parameters
from imgsvc.api.door import answer, door, revalidated
from imgsvc.api.openapi import document, operation, parameter, plain
from imgsvc.api.parameters import Reader
from imgsvc.api.routes.shared import IF_NONE_MATCH, ops_parameter
from imgsvc.errors import MalformedRequest
from imgsvc.pipeline import Pipeline, describe
from imgsvc.raster.geometry import MAX_SIDE, Size

router = APIRouter(tags=["Operations"])

_SIZE = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")
_WORD = {
    "name": "grayscale",
    "description": "Takes the colour out.",
    "schema": {"type": "object", "properties": {"op": {"const": "grayscale"}}, "required": ["op"]},
    "example": "grayscale",
}


@router.get(
    "/v1/operations",
    **operation(
        "listOperations",
        "List all operations and formats",
        {
            200: document("Operations", "The vocabulary.", {"operations": [_WORD], "formats": []}),
            304: plain("Nothing has changed."),
        },
        parameters=[IF_NONE_MATCH],
    ),
)
async def list_operations(request: Request) -> Response:
    """Every operation and format with its JSON Schema, what it does, and an example."""
    return revalidated(request, describe(testing=door(request).options.testing))


@router.get(
    "/v1/operations:explain",
    **operation(
        "explainOperations",
        "Explain a pipeline",
        {200: document("Explained", "What was understood.", examples.EXPLAINED)},
        parameters=[
            ops_parameter(),
            parameter("query", "size", "The size of a source, as displayed.", example="4032x3024"),
        ],
        errors=(errors.InvalidOperation, errors.InvalidParameter),
    ),
)
async def explain_operations(request: Request) -> Response:
    """The canonical text, the JSON form, and the size after each step for a source of `size`."""
    values = parameters.query(request.scope["query_string"])
    reader = Reader(values, ("ops", "size"))
    size = _size(reader, values.get("size"))
    reader.done()
    if "ops" not in values:
        raise MalformedRequest("give ops, the pipeline to explain")
    return answer(explained(door(request).grammar.load(values["ops"]), size))


def explained(pipeline: Pipeline, size: Size | None) -> dict[str, object]:
    """What a pipeline was understood as; the format at its end changes no size."""
    operations = pipeline.json()
    sizes = [size, *(pipeline.sizes(size) if size else [None] * len(pipeline.operations))]
    sizes += [sizes[-1]] * (len(operations) - len(pipeline.operations))
    steps = [
        {"op": operation["op"], "in": before and tuple(before), "out": after and tuple(after)}
        for operation, (before, after) in zip(operations, pairwise(sizes), strict=True)
    ]
    return {"spec": pipeline.text, "operations": operations, "steps": steps}


def _size(reader: Reader, text: str | None) -> Size | None:
    if text is None:
        return None
    found = _SIZE.fullmatch(text.strip().lower())
    if found is not None and all(1 <= int(side) <= MAX_SIDE for side in found.groups()):
        return Size(int(found[1]), int(found[2]))
    rule = f"WIDTHxHEIGHT, 1 to {MAX_SIDE} each"
    reader.refuse("size", f"size must be {rule}", rule)
    return None
