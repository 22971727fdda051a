"""Uses of an operation or a format for the contract suites, made from nothing but its class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import ValidationError

from imgsvc.formats import Ending
from imgsvc.operations import Operation
from imgsvc.pipeline import Grammar
from imgsvc.raster.written import Written

Made = Operation | Ending


def example(model: type[Made]) -> Made:
    """What the class itself gives as an example."""
    pipeline = Grammar(testing=True).parse(model.example)
    return pipeline.operations[0] if pipeline.operations else pipeline.format or model()


def variations(model: type[Made]) -> list[Made]:
    """The example, and for each parameter the example with its bounds, words and both its sides."""
    found = dict.fromkeys([example(model)])
    for name in model.model_fields:
        for value in _values(model, name):
            try:
                changed = model.model_validate({**_given(example(model)), name: value})
            except ValidationError:  # parameters that exclude each other
                continue
            found[changed] = None
    return list(found)


def _given(made: Made) -> dict[str, Any]:
    return {name: getattr(made, name) for name in made.model_fields_set}


def _values(model: type[Made], name: str) -> Iterator[object]:
    field = model.model_fields[name]
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, Written):
            yield kind.parse(kind.EXAMPLE)
    schema = model.model_json_schema()
    yield from _listed(schema["properties"][name], schema.get("$defs", {}))


def _listed(schema: dict[str, Any], definitions: dict[str, Any]) -> Iterator[object]:
    if reference := schema.get("$ref"):
        yield from _listed(definitions[reference.rpartition("/")[2]], definitions)
    for member in schema.get("anyOf", ()):
        yield from _listed(member, definitions)
    yield from schema.get("enum", ())
    if "const" in schema:
        yield schema["const"]
    if schema.get("type") == "boolean":
        yield from (True, False)
    if schema.get("type") in ("integer", "number"):
        yield from (schema[bound] for bound in ("minimum", "maximum") if bound in schema)
