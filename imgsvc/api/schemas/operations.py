"""The shapes of the vocabulary."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from imgsvc.api.schemas.shape import Shape, Size


class WordShape(BaseModel):
    """An operation or a format."""

    name: str
    description: str
    json_schema: dict[str, Any] = Field(alias="schema", description="JSON Schema of its JSON form.")
    example: str


class OperationsShape(Shape):
    """The whole vocabulary."""

    operations: list[WordShape]
    formats: list[WordShape]


class ExplainedStepShape(Shape):
    """One operation and the sizes around it; null without a size to start from."""

    op: str
    before: Size | None = Field(alias="in")
    after: Size | None = Field(alias="out")


class ExplainedShape(Shape):
    """What a pipeline was understood as."""

    spec: str = Field(description="The canonical text.")
    operations: list[dict[str, Any]] = Field(description="The JSON form.")
    steps: list[ExplainedStepShape]


class PresetShape(Shape):
    """A pipeline with a name."""

    name: str
    hash: str = Field(
        description="Names this version: another one whenever the pictures that it makes may differ."
    )
    description: str | None
    spec: str = Field(description="The canonical text, without presets.")
    operations: list[dict[str, Any]] = Field(description="The JSON form.")
    url: str = Field(description="Where its renders are; it may mean something else one day.")
    immutable_url: str = Field(description="Where the renders of this very version are.")


class PresetsShape(Shape):
    """All presets."""

    presets: list[PresetShape]
