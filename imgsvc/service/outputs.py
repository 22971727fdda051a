"""What a job is to make of its image: known as soon as the image's header is read."""

from __future__ import annotations

from collections.abc import Mapping

from imgsvc.imaging.budget import check_memory
from imgsvc.imaging.facts import Facts
from imgsvc.imaging.limits import Limits, check_output
from imgsvc.jobs import Output
from imgsvc.pipeline import Pipeline, Srcset

#: What is asked for, by the names of the outputs.
Wanted = Mapping[str, Pipeline | Srcset]


def planned(wanted: Wanted, facts: Facts, limits: Limits) -> tuple[Output, ...]:
    """The outputs of a job on an image with these facts, one for each result.

    Raises OutputTooLarge, naming the operation, and ImageTooLargeForMemory, before a pixel is read.
    """
    pipelines: dict[str, Pipeline] = {}
    pictures: dict[str, str | None] = {}
    for name, each in wanted.items():
        found = {name: each} if isinstance(each, Pipeline) else _members(name, each, facts)
        pipelines |= found
        pictures |= dict.fromkeys(found, None if isinstance(each, Pipeline) else name)
    for name, pipeline in pipelines.items():
        check_output(pipeline, facts, limits, output=name)
    check_memory(pipelines, facts, limits)
    return tuple(
        Output(name=name, spec=pipeline.text, picture=pictures[name]) for name, pipeline in pipelines.items()
    )


def asked(wanted: Wanted) -> tuple[Output, ...]:
    """The outputs as they were asked for: what a job shows whose file is no image."""
    return tuple(
        Output(name=name, spec=(each.pipeline if isinstance(each, Srcset) else each).text)
        for name, each in wanted.items()
    )


def _members(name: str, srcset: Srcset, facts: Facts) -> dict[str, Pipeline]:
    size = facts.size if srcset.pipeline.upright else facts.stored
    return srcset.members(
        name, size, source_format=facts.format, alpha=facts.has_alpha, moves=facts.frames > 1
    )
