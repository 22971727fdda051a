"""What the shapes have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Time = Annotated[
    str, Field(description="RFC 3339, UTC, with milliseconds.", examples=["2026-11-23T08:39:35.120Z"])
]
Size = Annotated[tuple[int, int], Field(description="Width and height in pixels.", examples=[[300, 200]])]


class Shape(BaseModel):
    """A document with these members and no others."""

    model_config = ConfigDict(extra="forbid")
