"""The whole vocabulary as JSON: what `GET /v1/operations` shows."""

from __future__ import annotations

from inspect import cleandoc
from typing import Any

from imgsvc import formats, operations
from imgsvc.pipeline.words import word


def describe(*, testing: bool = False) -> dict[str, list[dict[str, Any]]]:
    """Every operation and format: name, description, JSON Schema of its JSON form, an example."""
    return {
        "operations": [_entry(model) for model in operations.registry(testing=testing).values()],
        "formats": [
            {
                **_entry(model),
                "aliases": list(model.other_names),
                "media_type": model.media_type,
                "extension": model.extension,
                "alpha": model.alpha,
                "animated": model.animated,
            }
            for model in formats.registry().values()
        ]
        # No format of its own: it has no media type.
        + [
            _entry(model) | {"aliases": list(model.other_names)}
            for name, model in formats.endings().items()
            if name not in formats.registry()
        ],
    }


def _entry(model: type[operations.Operation | formats.Ending]) -> dict[str, Any]:
    found = word(model)
    schema = model.model_json_schema()
    schema.pop("title", None)
    schema.pop("description", None)
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
    schema["properties"] = {"op": {"const": found.name}, **schema.get("properties", {})}
    schema["required"] = ["op", *schema.get("required", ())]
    schema["x-positional"] = list(model.positional)
    return {
        "name": found.name,
        "description": cleandoc(model.__doc__ or ""),
        "schema": schema,
        "example": model.example,
    }
