"""One decode, many results: pixels through pipelines into files."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

from PIL.Image import Image

from imgsvc.imaging.budget import check_memory
from imgsvc.imaging.decode import Frame, decode, reduction
from imgsvc.imaging.facts import Facts
from imgsvc.imaging.faults import working
from imgsvc.imaging.limits import Limits, check_output
from imgsvc.imaging.output import Output, Rendered
from imgsvc.imaging.source import Source, open_source
from imgsvc.imaging.steps import Clock, Progress
from imgsvc.pipeline import Pipeline
from imgsvc.pipeline.negotiation import resolve
from imgsvc.raster import icc, memory
from imgsvc.raster.geometry import Size


def render(
    source: bytes | BinaryIO,
    targets: Sequence[tuple[str, Pipeline]],
    limits: Limits,
    *,
    accept: str | None = None,
    images: Mapping[str, Image] | None = None,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> tuple[Rendered, ...]:
    """Decode a source once and run every (name, pipeline) on it, all or none.

    `accept` is what the client accepts, for pipelines that negotiate; `images` are the decoded pictures
    that operations refer to, by image id; `clock` collects the timed steps, also of a run that fails.
    Raises EmptyFile, the ImageRefused errors (naming the output where it is one's own fault), and what an
    operation raises by a bug.
    """
    memory.keep_freed()
    clock = clock or Clock(progress)
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    opened = open_source(file, limits)
    targets = [(name, _resolved(pipeline, accept, opened.facts)) for name, pipeline in targets]
    for name, pipeline in targets:
        check_output(pipeline, opened.facts, limits, output=name)
    check_memory(dict(targets), opened.facts, limits)
    outputs = [Output(name, pipeline, opened, images or {}) for name, pipeline in targets]
    results = dict(_run(opened, outputs, limits, clock))
    return tuple(results[name] for name, _ in targets)


def picture(file: BinaryIO, limits: Limits) -> Image:
    """A file's first frame upright, in sRGB, as L, LA, RGB or RGBA: what operations refer to.

    Raises what `render` does.
    """
    source = open_source(file, limits)
    image = next(decode(source, limits)).take()
    with working(image.width * image.height * 4):
        return source.facts.orientation.upright(icc.to_srgb(image, source.profile))


def _resolved(pipeline: Pipeline, accept: str | None, facts: Facts) -> Pipeline:
    return resolve(
        pipeline, accept, has_alpha=facts.has_alpha, source_format=facts.format, moves=facts.frames > 1
    )


def _run(
    source: Source, outputs: Sequence[Output], limits: Limits, clock: Clock
) -> Iterator[tuple[str, Rendered]]:
    """Every frame through every output that wants it; a still result is finished before the next begins."""
    moving = [output for output in outputs if output.moves]
    frames = decode(
        source,
        limits,
        factor=reduction(source.facts, [output.pipeline for output in outputs]),
        all_frames=bool(moving),
    )
    wanted = outputs
    for _ in range(source.facts.frames if moving else 1):
        frame = _next(frames, source, clock)
        for output in wanted:
            output.add(frame, clock, last=output is wanted[-1])
            if not output.moves:
                yield output.name, output.encode(clock)
        wanted = moving
    for output in moving:
        yield output.name, output.encode(clock)


def _next(frames: Iterator[Frame], source: Source, clock: Clock) -> Frame:
    with clock.step("decode") as step:
        frame = next(frames)
        step.sees(None, source.facts.orientation.size(Size(*frame.borrow().size)))
    return frame
