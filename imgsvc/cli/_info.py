"""What `imgsvc info` does with one image: read, look, tell."""

from __future__ import annotations

import hashlib
import io
import sys
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from imgsvc import formats
from imgsvc.cli._settings import settings_or_exit
from imgsvc.errors import ImgsvcError
from imgsvc.imaging import Clock, Limits
from imgsvc.imaging.analysis import analyse


@dataclass(slots=True)
class Found:
    """What there is to tell of one file, or why there is nothing."""

    name: str
    document: dict[str, object] = field(default_factory=dict)
    fault: str | None = None

    def json(self) -> bytes:
        """As JSON, for people too."""
        return orjson.dumps(self.document, option=orjson.OPT_INDENT_2)


def look(name: str, *, gps: bool) -> Found:
    """Look into one file; what goes wrong is the fault."""
    limits = Limits.model_validate(settings_or_exit().model_dump(include=set(Limits.model_fields)))
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        found = analyse(io.BytesIO(data), limits, Clock())
    except ImgsvcError as error:
        return Found(name, fault=str(error))
    except OSError as error:
        return Found(name, fault=error.strerror or type(error).__name__)
    facts = found.facts
    told = found.analysis.model_dump(mode="json")
    return Found(
        name,
        {
            "file": name,
            "format": facts.format,
            "content_type": formats.registry()[facts.format].media_type,
            "width": facts.width,
            "height": facts.height,
            "frames": facts.frames,
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "has_alpha": facts.has_alpha,
            **told,
            "gps": told["gps"] if gps else None,
        },
    )
