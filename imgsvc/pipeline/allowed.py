"""What a parameter allows, read from its model's JSON schema: for errors and for the docs."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel

#: A list of words or numbers, or a phrase such as `0.3 to 100`.
Allowed = tuple[str | int | float, ...] | str | None


@cache
def allowed(model: type[BaseModel], name: str) -> Allowed:
    """What the field `name` of a model allows; None where there is nothing to say."""
    schema = model.model_json_schema()
    return _allowed(schema["properties"][name], schema.get("$defs", {}))


def phrase(what: Allowed) -> str:
    """The same as part of a sentence."""
    return what if isinstance(what, str) else ", ".join(map(str, what or ()))


def _allowed(schema: dict[str, Any], definitions: dict[str, Any]) -> Allowed:
    match schema:
        case {"$ref": str(reference)}:
            return _allowed(definitions[reference.rpartition("/")[2]], definitions)
        case {"anyOf": members}:
            return _either([_allowed(one, definitions) for one in members if one.get("type") != "null"])
        case {"const": only}:
            return (only,)
        case {"enum": choices}:
            return tuple(choices)
        case _:
            return _typed(schema)


def _typed(schema: dict[str, Any]) -> Allowed:
    match schema:
        case {"type": "boolean"}:
            return ("true", "false")
        case {"type": "integer" | "number"}:
            return _range(schema)
        case {"type": "string", "maxLength": most}:
            return f"{schema.get('minLength', 0)} to {most} characters"
        case _:
            return None


def _either(parts: list[Allowed]) -> Allowed:
    if len(parts) == 1:
        return parts[0]
    return " or ".join(phrase(part) for part in parts if part) or None


def _range(schema: dict[str, Any]) -> str:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is not None and high is not None:
        return f"{low:.15g} to {high:.15g}"
    if low is not None:
        return f"at least {low:.15g}"
    if high is not None:
        return f"at most {high:.15g}"
    return "a whole number" if schema["type"] == "integer" else "a number"
