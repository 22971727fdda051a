"""The shape of an error."""

from __future__ import annotations

from pydantic import Field

from imgsvc.api.schemas.shape import Shape


class FaultShape(Shape):
    """One thing that is wrong, and what would be right."""

    detail: str
    pointer: str | None = Field(None, description="JSON pointer into the JSON form of what was sent.")
    offset: int | None = Field(None, description="Where in the text form the fault is, in characters.")
    allowed: list[str | int | float] | str | None = None


class ProblemShape(Shape):
    """An error (RFC 9457)."""

    type: str = Field(examples=["/problems/invalid-operation"])
    title: str
    status: int
    detail: str
    code: str = Field(examples=["invalid-operation"])
    request_id: str | None = None
    output: str | None = Field(None, description="The output at fault, where there are several.")
    errors: list[FaultShape] = Field(default_factory=list)
    limit: float | None = None
    actual: float | None = None
    supported: list[str] = Field(default_factory=list)


class MeaningShape(Shape):
    """What a problem means."""

    type: str
    code: str
    status: int
    title: str
    description: str
