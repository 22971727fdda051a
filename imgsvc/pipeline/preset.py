"""How a preset is used in a pipeline: `preset:avatar`, or `preset:avatar@3f2a90c41b7e`, one version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field


class Use(BaseModel):
    """Stands for the pipeline that a preset names; read like an operation, gone when the text is parsed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    positional: ClassVar[tuple[str, ...]] = ("name",)
    aliases: ClassVar[Mapping[str, str]] = {}
    example: ClassVar[str] = "preset:avatar"

    name: str = Field(description="The preset's name; with `@` and its hash, that very version of it.")

    @property
    def preset(self) -> str:
        """The name alone."""
        return self.name.partition("@")[0].strip()

    @property
    def hash(self) -> str | None:
        """The version that is meant; None where any is."""
        _, at, version = self.name.partition("@")
        return version.strip() if at else None
