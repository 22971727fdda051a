"""What the class of every operation and format must declare, whatever it does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from imgsvc.formats import Ending
from imgsvc.operations import Operation
from imgsvc.pipeline import Grammar
from imgsvc.pipeline.words import word


def check_declaration(model: type[Operation | Ending]) -> None:
    """Fail where the class lacks what the grammar, the docs or a caller's safety need."""
    found = word(model)
    assert re.fullmatch(r"[a-z][a-z0-9-]*", found.name)
    assert "__doc__" in vars(model), "the class docstring is its public description"
    assert (model.__doc__ or "").strip()
    pipeline = Grammar(testing=True).parse(model.example)
    assert Grammar(testing=True).parse(pipeline.text) == pipeline
    assert len(pipeline.json()) == 1
    for name, field in model.model_fields.items():
        assert field.description, f"{name} has no description"
        assert field.is_required() or field.default is None or found.parameters[name].default is not None
    assert set(model.aliases.values()) <= set(found.keys)
    required = [model.model_fields[name].is_required() for name in model.positional]
    assert required == sorted(required, reverse=True), "what must be given comes before what need not"
    for name, schema in model.model_json_schema().get("properties", {}).items():
        for leaf in _leaves(schema):
            assert _bounded(leaf), f"{name} has no bounds"


def _leaves(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    members = schema.get("anyOf", ())
    for member in members:
        yield from _leaves(member)
    if not members:
        yield schema


def _bounded(schema: dict[str, Any]) -> bool:
    """Does a parameter refuse what it could not do? Numbers have two ends, texts a length or a form."""
    match schema.get("type"):
        case "integer" | "number":
            return "minimum" in schema and "maximum" in schema
        case "string":
            return bool({"maxLength", "pattern", "enum", "const"} & set(schema))
    return True
