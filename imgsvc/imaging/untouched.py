"""Never larger than the source: where only the encoding would change, that may be the result."""

from __future__ import annotations

import io
from dataclasses import replace

from imgsvc import formats
from imgsvc.formats import Format
from imgsvc.imaging.output import Rendered
from imgsvc.imaging.source import Source
from imgsvc.pipeline import Pipeline


def smaller(made: Rendered, pipeline: Pipeline, source: Source) -> Rendered:
    """What was made, or the source where that has fewer bytes and would do; a warning says so."""
    file = source.file
    size = file.seek(0, io.SEEK_END)
    if made.data.nbytes <= size or not pipeline.changes_nothing(source.facts.size):
        return made
    own = _own(pipeline, source)
    if own is None:
        return made
    file.seek(0)
    data = file.read()
    if not own.stands_in(data):
        return made
    warning = (
        f"{made.name}: the source itself is the result: it has {size} bytes, encoding it again would give "
        f"{made.data.nbytes}, and it carries nothing but the picture"
    )
    return replace(
        made,
        data=memoryview(data),
        format=own,
        size=source.facts.size,
        frames=source.facts.frames,
        warnings=(warning,),
    )


def _own(pipeline: Pipeline, source: Source) -> Format | None:
    """The source's format, as the pipeline asks for it; None where it asks for another one."""
    asked = pipeline.encoder(source.facts.format)
    if type(asked) is source.format:
        return asked
    return formats.registry()[source.facts.format]() if pipeline.or_source else None
