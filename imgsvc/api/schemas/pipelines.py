"""The shapes of pipelines, made from the registry: an operation in a new file is described here too."""

from __future__ import annotations

from typing import Any

from imgsvc import formats
from imgsvc.pipeline import describe
from imgsvc.pipeline.preset import Use
from imgsvc.raster.geometry import MAX_SIDE

Json = dict[str, Any]

_ROOM = "#/components/schemas/"


def pipelines(*, testing: bool = False) -> Json:
    """`Pipeline`, and one component for every operation and format, by name."""
    vocabulary = describe(testing=testing)
    words = {
        f"{kind}.{word['name']}": _shape(word, kind)
        for kind, found in (("Operation", vocabulary["operations"]), ("Format", vocabulary["formats"]))
        for word in found
    }
    operation = {
        "type": "string",
        "description": "One operation as text.",
        "examples": ["resize:300x200,fit=cover"],
    }
    preset = {
        "title": "preset",
        "description": "What a preset stands for; `GET /v1/presets` lists them.",
        "type": "object",
        "properties": {
            "op": {"const": "preset"},
            "name": {"type": "string", "description": "Its name, or `name@hash` for that very version."},
        },
        "required": ["op", "name"],
        "x-example": Use.example,
    }
    step = {"anyOf": [operation, *({"$ref": _ROOM + name} for name in ("Operation.preset", *words))]}
    pipeline = {
        "description": "What is done, left to right: text, or an array of operations.",
        "anyOf": [
            {"type": "string", "examples": ["resize:300x200,fit=cover/webp:82"]},
            {"type": "array", "minItems": 1, "items": step},
        ],
    }
    return {
        "Pipeline": pipeline,
        "Srcset": _srcset(list(formats.registry())),
        "Operation.preset": preset,
        **words,
    }


def _srcset(names: list[str]) -> Json:
    return {
        "title": "Srcset",
        "description": "An output in several widths and formats, all from one decode.",
        "type": "object",
        "required": ["ops"],
        "additionalProperties": False,
        "properties": {
            "ops": {"$ref": _ROOM + "Pipeline"},
            "widths": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "integer", "minimum": 1, "maximum": MAX_SIDE},
                "description": "In pixels; those above the width that `ops` give are left out.",
                "examples": [[320, 640, 1280]],
            },
            "formats": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "anyOf": [
                        {"type": "string", "examples": ["webp:82"]},
                        *({"$ref": f"{_ROOM}Format.{name}"} for name in names),
                    ]
                },
                "description": "In the order in which browsers are offered them, each once.",
                "examples": [["avif", "webp", "jpeg"]],
            },
        },
    }


def _shape(word: Json, kind: str) -> Json:
    shape: Json = _at_home(word["schema"], f"{_ROOM}{kind}.{word['name']}/$defs/")
    return {"title": word["name"], "description": word["description"], **shape, "x-example": word["example"]}


def _at_home(value: Any, home: str) -> Any:  # noqa: ANN401  # any JSON
    """References to its own definitions, from the root of the document that the schema now stands in."""
    if isinstance(value, dict):
        return {
            key: inner.replace("#/$defs/", home) if key == "$ref" else _at_home(inner, home)
            for key, inner in value.items()
        }
    return [_at_home(inner, home) for inner in value] if isinstance(value, list) else value
