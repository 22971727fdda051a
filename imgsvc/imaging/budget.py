"""What a picture and its pipelines need of memory at the very least: refused before anything is decoded.

The figures are the smallest that were measured, on flat pictures (docs/performance.md): what is refused here
could not have worked. What may or may not work is tried, and meets RLIMIT_AS.
"""

from __future__ import annotations

from collections.abc import Mapping

from imgsvc import formats
from imgsvc.errors import ImageTooLargeForMemory
from imgsvc.imaging.decode import reduction, shrink
from imgsvc.imaging.facts import Facts
from imgsvc.imaging.limits import Limits
from imgsvc.pipeline import Pipeline

#: Address space that a worker process takes before it has seen a picture; 74 MiB were measured.
_BASE = 70 * 2**20
_GREY = 1


def check_decoding(facts: Facts, limits: Limits, factor: float) -> None:
    """Refuse what a worker's memory can't hold as it is decoded `factor` times longer than need be.

    Raises ImageTooLargeForMemory.
    """
    if limits.max_memory is not None:
        _check(_decoding(facts, shrink(facts, factor / limits.reduce_gap)), limits.max_memory)


def check_memory(pipelines: Mapping[str, Pipeline], facts: Facts, limits: Limits) -> None:
    """Refuse what a worker's memory can't hold, naming the output; raises ImageTooLargeForMemory."""
    if limits.max_memory is None:
        return
    scale = shrink(facts, reduction(facts, list(pipelines.values())) / limits.reduce_gap)
    for name, pipeline in pipelines.items():
        _check(max(_decoding(facts, scale), _working(pipeline, facts, scale)), limits.max_memory, name)


def _check(need: float, most: int, output: str | None = None) -> None:
    least = _BASE + round(need)
    if least > most:
        raise ImageTooLargeForMemory(
            f"this takes at least {least >> 20} MiB of memory, a worker has {most >> 20}",
            limit=most,
            actual=least,
            output=output,
        )


def _decoding(facts: Facts, scale: int) -> float:
    """Bytes for the first frame, when it is decoded to a fraction of its sides."""
    each = max(facts.pixel_bytes, formats.registry()[facts.format].decode_least)
    return facts.size.pixels / scale**2 * each


def _working(pipeline: Pipeline, facts: Facts, scale: int) -> float:
    """Bytes for the largest picture on the way, or for the frames of the result and their encoder."""
    result = pipeline.encoder(facts.format)
    frames = facts.frames if result.animated else 1
    size = facts.size if pipeline.upright else facts.stored
    each, largest = facts.pixel_bytes, 0.0
    for operation in pipeline.operations:
        size = operation.size_after(size)
        each = _GREY if operation.takes_colour else each
        # Before the first resize the picture is smaller by `scale` than its size says.
        largest = max(largest, each * size.pixels / scale**2)
    return max(largest, size.pixels * (frames * each + result.encode_least(each)))
