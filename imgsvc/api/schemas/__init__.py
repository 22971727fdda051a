"""The shapes of all documents, for OpenAPI and for the tests that hold the documents to them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from imgsvc.api.schemas.batches import BatchListShape, BatchShape
from imgsvc.api.schemas.images import ImageListShape, ImageShape
from imgsvc.api.schemas.info import InfoShape
from imgsvc.api.schemas.jobs import CanceledShape, JobListShape, JobShape
from imgsvc.api.schemas.operations import ExplainedShape, OperationsShape, PresetsShape
from imgsvc.api.schemas.pipelines import pipelines
from imgsvc.api.schemas.problems import MeaningShape, ProblemShape
from imgsvc.api.schemas.system import (
    LiveShape,
    PausedShape,
    PurgedShape,
    ReadyShape,
    StatsShape,
    VersionShape,
    WorkersShape,
)

__all__ = [
    "SHAPES",
    "BatchListShape",
    "BatchShape",
    "CanceledShape",
    "ExplainedShape",
    "ImageListShape",
    "ImageShape",
    "InfoShape",
    "JobListShape",
    "JobShape",
    "LiveShape",
    "MeaningShape",
    "OperationsShape",
    "PausedShape",
    "PresetsShape",
    "ProblemShape",
    "PurgedShape",
    "ReadyShape",
    "StatsShape",
    "VersionShape",
    "WorkersShape",
    "components",
]

#: The shapes by the names that OpenAPI shows.
SHAPES: dict[str, type[BaseModel]] = {
    cls.__name__.removesuffix("Shape"): cls
    for cls in (
        ProblemShape,
        JobShape,
        JobListShape,
        BatchShape,
        BatchListShape,
        ImageShape,
        ImageListShape,
        InfoShape,
        CanceledShape,
        PausedShape,
        PurgedShape,
        OperationsShape,
        ExplainedShape,
        PresetsShape,
        StatsShape,
        WorkersShape,
        VersionShape,
        MeaningShape,
        LiveShape,
        ReadyShape,
    )
}


def components(*, testing: bool = False) -> dict[str, Any]:
    """All of them as JSON Schema, by name, and the vocabulary of pipelines."""
    _, schema = models_json_schema(
        [(cls, "validation") for cls in SHAPES.values()], ref_template="#/components/schemas/{model}"
    )
    named: dict[str, Any] = {
        name.removesuffix("Shape"): _renamed(found) for name, found in schema["$defs"].items()
    }
    return named | pipelines(testing=testing)


def _renamed(value: Any) -> Any:  # noqa: ANN401  # any JSON
    """References without the suffix of our class names."""
    if isinstance(value, dict):
        return {
            key: inner.removesuffix("Shape")
            if isinstance(inner, str) and key in {"$ref", "title"}
            else _renamed(inner)
            for key, inner in value.items()
        }
    return [_renamed(inner) for inner in value] if isinstance(value, list) else value
