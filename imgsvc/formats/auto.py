"""`auto`: the format that suits the client best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from imgsvc.formats._base import Ending, Format
from imgsvc.formats._quality import MaxBytes, Quality


class Auto(Ending):
    """The format that suits the client best, by what its `Accept` header says.

    AVIF or WebP for a client that names it there, as browsers do, or JPEG (PNG where the picture may have
    alpha): the one with the highest `q`, the first of them where several have it. Others are only for a
    client that takes none of these: one that says `image/png` and no more gets PNG, and one that says
    `image/jpeg` and no more gets JPEG, alpha laid on white. An animation becomes WebP where that is named,
    else GIF (docs/renders.md has it all). The answer says `Vary: Accept`. It has a meaning only where there
    is a client to look at: in `/r/`, in `POST /v1/process`, and in an output with `widths`, which is made in
    each of these formats.
    """

    positional: ClassVar[tuple[str, ...]] = ("quality",)
    aliases: ClassVar[Mapping[str, str]] = {"q": "quality"}
    example: ClassVar[str] = "auto"

    quality: Quality | None = Field(
        default=None,
        description="On the scale of JPEG and WebP, or `auto`; AVIF gets its like, PNG and GIF have none.",
    )
    max_bytes: MaxBytes = Field(default=None, description="As that of JPEG, WebP and AVIF; others have none.")

    def of(self, kind: type[Format]) -> Format:
        """The wish for a format, once that is known."""
        return kind.wished(self.quality, self.max_bytes)
