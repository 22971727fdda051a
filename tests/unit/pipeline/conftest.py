"""Pipelines of every shape that the registries allow, drawn field by field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import partial
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from imgsvc import formats, operations
from imgsvc.formats import Ending
from imgsvc.operations import Operation
from imgsvc.pipeline import Grammar, Pipeline
from imgsvc.raster.written import Written

Model = type[Operation | Ending]
#: Whatever may annotate a field.
Annotation = Any


@pytest.fixture(scope="session")
def grammar() -> Grammar:
    """The grammar that users get."""
    return Grammar()


@pytest.fixture(scope="session")
def pipelines() -> st.SearchStrategy[Pipeline]:
    """Any pipeline over the whole registry, the operations for outside tests among them."""
    return st.builds(
        _pipeline,
        st.lists(st.one_of([_uses(model) for model in _operations(first=False)]), max_size=4),
        st.none() | st.one_of([_uses(model) for model in _operations(first=True)]),
        st.none() | st.one_of([_uses(model) for model in formats.endings().values()]),
    )


def _operations(*, first: bool) -> list[type[Operation]]:
    return [model for model in operations.registry(testing=True).values() if model.first_only is first]


def _pipeline(chain: list[Operation], first: Operation | None, last: Ending | None) -> Pipeline:
    return Pipeline(tuple(chain) if first is None else (first, *chain), last)


def _uses(model: Model) -> st.SearchStrategy[Any]:
    """Valid values of a model: any parameter given or left out."""
    required = {
        n: _values(f.annotation, f.metadata) for n, f in model.model_fields.items() if f.is_required()
    }
    optional = {
        n: _values(f.annotation, f.metadata) for n, f in model.model_fields.items() if not f.is_required()
    }
    drawn = st.fixed_dictionaries(required, optional=optional)
    return drawn.map(lambda given: _made(model, given)).filter(lambda made: made is not None)


def _made(model: Model, given: Mapping[str, object]) -> Operation | Ending | None:
    try:
        return model.model_validate(given)
    except ValidationError:  # parameters that exclude each other
        return None


def _values(annotation: Annotation, metadata: Sequence[Annotation]) -> st.SearchStrategy[Any]:
    origin: object = get_origin(annotation)
    if origin is Annotated:
        field = FieldInfo.from_annotation(annotation)
        return _values(field.annotation, field.metadata)
    if origin in (Union, UnionType):
        return st.one_of([_values(member, metadata) for member in get_args(annotation)])
    if origin is Literal:
        return st.sampled_from(get_args(annotation))
    return _simple(annotation, metadata)


def _simple(kind: type, metadata: Sequence[Annotation]) -> st.SearchStrategy[Any]:
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    if issubclass(kind, Written):
        return st.from_regex(kind.PATTERN, fullmatch=True).map(partial(_read, kind)).filter(bool)
    plain: dict[type, Callable[[], st.SearchStrategy[Any]]] = {
        bool: st.booleans,
        NoneType: st.none,
        str: lambda: st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=20),
        int: lambda: st.integers(*_bounds(metadata)),
        float: lambda: st.floats(*_bounds(metadata)),
    }
    return plain[kind]()


def _read(kind: type[Written], text: str) -> Written | None:
    try:
        return kind.parse(text)
    except ValueError:  # the pattern allows a little more than the type
        return None


def _bounds(metadata: Sequence[Annotation]) -> tuple[Any, Any]:
    """The bounds of a number; a parameter without both is no safe parameter."""
    low = next(bound.ge for bound in metadata if hasattr(bound, "ge"))
    high = next(bound.le for bound in metadata if hasattr(bound, "le"))
    return low, high
