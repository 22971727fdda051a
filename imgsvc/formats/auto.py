"""`auto`: the format that suits the client best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from imgsvc.formats._base import Ending


class Auto(Ending):
    """The format that suits the client best, by what its `Accept` header says.

    AVIF or WebP for a client that names it there, as browsers do; for any other JPEG, or PNG where the
    picture has alpha. An animation becomes WebP where that is named, else GIF. The answer says
    `Vary: Accept`. It has a meaning only where there is a client to look at: in `/r/`, in
    `POST /v1/process`, and in an output with `widths`, which is made in each of these formats.
    """

    positional: ClassVar[tuple[str, ...]] = ("quality",)
    aliases: ClassVar[Mapping[str, str]] = {"q": "quality"}
    example: ClassVar[str] = "auto"

    quality: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="On the scale of JPEG and WebP; AVIF gets what looks alike, PNG and GIF have none.",
    )
