"""Never larger than the source: where only the encoding would change, that may be the result."""

from __future__ import annotations

import io
from dataclasses import replace

from imgsvc import formats
from imgsvc.formats import Format
from imgsvc.imaging.output import Output, Rendered
from imgsvc.imaging.source import Source
from imgsvc.pipeline import Pipeline


def smaller(made: Rendered, pipeline: Pipeline, source: Source) -> Rendered:
    """What was made, or the source where that has fewer bytes and would do; a warning says so."""
    found = _stand_in(pipeline, source, made.data.nbytes - 1)
    if found is None:
        return made
    own, data = found
    warning = (
        f"{made.name}: the source itself is the result: it has {len(data)} bytes, encoding it again would "
        f"give {made.data.nbytes}, and it carries nothing but the picture"
    )
    return replace(
        made,
        data=memoryview(data),
        format=own,
        size=source.facts.size,
        frames=source.facts.frames,
        warnings=(warning,),
    )


def release(output: Output, source: Source) -> None:
    """Take the bound of bytes off an output that the source would do for within that bound.

    Then the answer is what the quality asks for or, where that is larger, the source. The best that fits
    would be a few bytes smaller than the source, and only worse.
    """
    most = getattr(output.format, "max_bytes", None)
    if most is not None and _stand_in(output.pipeline, source, most) is not None:
        output.format = output.format.model_copy(update={"max_bytes": None})


def _stand_in(pipeline: Pipeline, source: Source, most: int) -> tuple[Format, bytes] | None:
    """The source as it would be a result, where it would do and has at most so many bytes."""
    file = source.file
    at, size = file.tell(), file.seek(0, io.SEEK_END)
    file.seek(at)
    if size > most or not pipeline.changes_nothing(source.facts.size):
        return None
    own = _own(pipeline, source)
    if own is None:
        return None
    file.seek(0)
    data = file.read()
    file.seek(at)
    return (own, data) if own.stands_in(data) else None


def _own(pipeline: Pipeline, source: Source) -> Format | None:
    """The source's format, as the pipeline asks for it; None where it asks for another one."""
    asked = pipeline.encoder(source.facts.format)
    if type(asked) is source.format:
        return asked
    return formats.registry()[source.facts.format]() if pipeline.or_source else None
