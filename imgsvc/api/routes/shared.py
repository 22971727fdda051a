"""What the descriptions of several calls have in common."""

from __future__ import annotations

from collections.abc import Sequence

from imgsvc import formats
from imgsvc.api import examples
from imgsvc.api.openapi import BINARY, Json, parameter
from imgsvc.api.submissions import MAX_ATTEMPTS, MAX_REFERENCE
from imgsvc.jobs import Priority

JOB_ID = parameter("path", "id", "The job's id.", example=examples.JOB_ID)
BATCH_ID = parameter("path", "id", "The batch's id.", example=examples.BATCH_ID)
IMAGE_ID = parameter("path", "id", "The image's id.", example=examples.IMAGE_ID)
PREFER = parameter(
    "header", "Prefer", "`wait=N` waits up to N seconds (at most 30) for the end.", example="wait=10"
)
IF_NONE_MATCH = parameter(
    "header", "If-None-Match", "Entity tags that the caller has: 304 if one is current."
)
IF_MODIFIED_SINCE = parameter(
    "header",
    "If-Modified-Since",
    "The `Last-Modified` that the caller has, of a file of the folder of sources: 304 if it is still that.",
)
# Without an example: pages that let readers try a call would ask for a part of every picture.
RANGE = parameter("header", "Range", "One range of bytes, as `bytes=0-1023`; anything else is ignored.")
WAIT = parameter(
    "query",
    "wait",
    "Seconds to wait for the end.",
    {"type": "number", "minimum": 0, "maximum": 30},
)
DOWNLOAD = parameter(
    "query", "download", "`1` makes browsers save the file instead of showing it.", {"type": "boolean"}
)
LIMIT = parameter(
    "query", "limit", "How many at most.", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
)
CURSOR = parameter("query", "cursor", "The `next_cursor` of the page before.")
_OPS = (
    "The pipeline, as text or as JSON. `GET /v1/operations` lists the operations, "
    "`GET /v1/presets` the presets; `GET /v1/operations:explain` says how a pipeline is understood."
)
_OUTPUTS = (
    "Instead of `ops`: a JSON object of named pipelines; all come from one decode. One that is an object, "
    '`{"ops": "resize:1600x", "widths": [320, 640, 1280], "formats": ["avif", "webp", "jpeg"]}`, gives one '
    "result per width and format."
)

#: What a submission may say: name, description, JSON Schema.
WISHES: tuple[tuple[str, str, Json], ...] = (
    ("ops", _OPS, {"type": "string"}),
    (
        "outputs",
        _OUTPUTS,
        {"type": "string"},
    ),
    ("priority", "How soon.", {"type": "string", "enum": [str(member) for member in Priority]}),
    ("timeout", "Seconds that the job may run; only less than the service's own limit.", {"type": "string"}),
    (
        "retention",
        "Seconds (or `12h`, `7d`) that job and results are kept after the end.",
        {"type": "string"},
    ),
    (
        "reference",
        "The caller's own id; unique in its batch, where a repeat is answered with the first job.",
        {"type": "string", "maxLength": MAX_REFERENCE},
    ),
    ("batch", "The open batch that the job joins.", {"type": "string"}),
    ("max_attempts", "Starts that it may cost.", {"type": "integer", "minimum": 1, "maximum": MAX_ATTEMPTS}),
)


def ops_parameter() -> Json:
    """The pipeline in a query, with ways to say it."""
    return parameter("query", "ops", _OPS) | {"examples": examples.PIPELINES}


def wish_parameters(wishes: Sequence[tuple[str, str, Json]] = WISHES) -> list[Json]:
    """A submission in a query.

    Without an example: pages that let readers try a call send them, and the form says the same.
    """
    ways = ", ".join(f"`{way['value']}`" for way in examples.PIPELINES.values())
    more = {"ops": f" For a raw image; a form has a field for it. Such as {ways}."}
    return [parameter("query", name, text + more.get(name, ""), schema) for name, text, schema in wishes]


def image_body(fields: Sequence[tuple[str, str, Json]] = (), *, raw: bool = True) -> Json:
    """An image as a raw body, or as a form with fields."""
    form = {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": BINARY | {"description": "The image; fields may come before or after it."},
            **{name: _field(name, schema) | {"description": text} for name, text, schema in fields},
        },
    }
    example = {"file": "(the image)"} | ({"ops": examples.OPS} if fields else {})
    content: Json = {"multipart/form-data": {"schema": form, "example": example}}
    if raw:
        content |= {
            media_type: {"schema": BINARY} for media_type in (*media_types(), "application/octet-stream")
        }
    return {
        "description": "The image. Its content decides what it is, never its name or type.",
        "content": content,
    }


def _field(name: str, schema: Json) -> Json:
    """A form's field, which may be blank. Pages that let readers try a call send the example of each."""
    shown = schema | {"examples": [examples.OPS if name == "ops" else ""]}
    if "enum" in schema:
        shown["enum"] = [*schema["enum"], ""]
    if schema["type"] != "string":
        shown |= {"type": [schema["type"], "string"], "maxLength": 0}
    return shown


def media_types() -> list[str]:
    """The media types of all formats."""
    return [found.media_type for found in formats.registry().values()]
