"""One decode, many results: pixels through pipelines into files."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import BinaryIO

from PIL.Image import Image

from imgsvc.formats.avif import Avif
from imgsvc.imaging.budget import check_memory
from imgsvc.imaging.decode import Frame, decode, reduction
from imgsvc.imaging.facts import Facts
from imgsvc.imaging.faults import working
from imgsvc.imaging.ladder import ladders
from imgsvc.imaging.limits import Limits, check_output
from imgsvc.imaging.output import Output, Rendered
from imgsvc.imaging.source import Origin, Source, open_source
from imgsvc.imaging.steps import Clock, Progress
from imgsvc.imaging.untouched import release, smaller
from imgsvc.pipeline import Pipeline
from imgsvc.pipeline.negotiation import Client, resolve
from imgsvc.raster import icc, memory
from imgsvc.raster.geometry import Size

#: Results are for no client that is known.
NOBODY = Client()


def render(  # noqa: PLR0913  # what a task says, and who watches
    source: bytes | BinaryIO,
    targets: Sequence[tuple[str, Pipeline]],
    limits: Limits,
    *,
    client: Client = NOBODY,
    groups: Sequence[Sequence[str]] = (),
    images: Mapping[str, Image] | None = None,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> tuple[Rendered, ...]:
    """Decode a source once and run every (name, pipeline) on it, all or none.

    `client` is who the results are for, where pipelines negotiate; each of the `groups` names targets
    that are one picture in several sizes and formats (see `Ladder`); `images` are the decoded pictures
    that operations refer to, by image id; `clock` collects the timed steps, also of a run that fails.
    Raises EmptyFile, the ImageRefused errors (naming the output where it is one's own fault), and what an
    operation raises by a bug.
    """
    clock = clock or Clock(progress)
    opened = opened_source(source, limits)
    outputs = prepared(opened, targets, limits, client=client, images=images)
    return render_opened(opened, outputs, limits, clock, groups)


def opened_source(source: bytes | BinaryIO, limits: Limits) -> Source:
    """A source opened and checked; raises what `open_source` does."""
    memory.keep_freed()
    return open_source(io.BytesIO(source) if isinstance(source, bytes) else source, limits)


def prepared(
    origin: Origin,
    targets: Sequence[tuple[str, Pipeline]],
    limits: Limits,
    *,
    client: Client = NOBODY,
    images: Mapping[str, Image] | None = None,
) -> list[Output]:
    """Every (name, pipeline), ready for frames; raises what can be refused before there are any."""
    resolved = [(name, _resolved(pipeline, client, origin.facts)) for name, pipeline in targets]
    for name, pipeline in resolved:
        check_output(pipeline, origin.facts, limits, output=name)
    check_memory(dict(resolved), origin.facts, limits)
    return [Output(name, pipeline, origin, images or {}) for name, pipeline in resolved]


def render_opened(
    source: Source,
    outputs: Sequence[Output],
    limits: Limits,
    clock: Clock,
    groups: Sequence[Sequence[str]] = (),
) -> tuple[Rendered, ...]:
    """As `render`, with everything prepared."""
    for output in outputs:
        release(output, source)
    results = _run(outputs, _decoded(source, outputs, limits, clock), clock, groups)
    return tuple(
        smaller(made, output.pipeline, source) for made, output in zip(results, outputs, strict=True)
    )


def render_reduced(image: Image, outputs: Sequence[Output], clock: Clock) -> tuple[Rendered, ...]:
    """As `render`, from pixels in hand: those of a still picture, as many as the outputs need."""
    return _run(outputs, iter([Frame(image)]), clock)


def picture(file: BinaryIO, limits: Limits) -> Image:
    """A file's first frame upright, in sRGB, as L, LA, RGB or RGBA: what operations refer to.

    Raises what `render` does.
    """
    source = open_source(file, limits)
    image = next(decode(source, limits)).take()
    with working(image.width * image.height * 4):
        return source.facts.orientation.upright(icc.to_srgb(image, source.profile))


def _resolved(pipeline: Pipeline, client: Client, facts: Facts) -> Pipeline:
    chosen = partial(
        resolve,
        pipeline,
        client.accept,
        has_alpha=facts.has_alpha,
        source_format=facts.format,
        moves=facts.frames > 1,
    )
    found = chosen()
    if client.avif_pixels is None or not (pipeline.negotiates and isinstance(found.format, Avif)):
        return found
    size = facts.size if pipeline.upright else facts.stored
    return found if (size, *pipeline.sizes(size))[-1].pixels <= client.avif_pixels else chosen(slow=False)


def _run(
    outputs: Sequence[Output],
    frames: Iterator[Frame],
    clock: Clock,
    groups: Sequence[Sequence[str]] = (),
) -> tuple[Rendered, ...]:
    """Every frame through every output that wants it; a still result is finished before the next begins."""
    results: dict[str, Rendered] = {}
    wanted = climbs = ladders(outputs, groups)
    for number, frame in enumerate(frames):
        for ladder in wanted:
            for output in ladder.climb(frame, clock, first=number == 0, last=ladder is wanted[-1]):
                if not output.moves:
                    results[output.name] = output.encode(clock)
        wanted = [ladder for ladder in climbs if ladder.moves]
    results |= {output.name: output.encode(clock) for output in outputs if output.moves}
    return tuple(results[output.name] for output in outputs)


def _decoded(source: Source, outputs: Sequence[Output], limits: Limits, clock: Clock) -> Iterator[Frame]:
    """The frames that the outputs want: all of them or the first."""
    moving = any(output.moves for output in outputs)
    frames = decode(
        source,
        limits,
        factor=reduction(source.facts, [output.pipeline for output in outputs]),
        all_frames=moving,
    )
    for _ in range(source.facts.frames if moving else 1):
        with clock.step("decode") as step:
            frame = next(frames)
            step.sees(None, source.facts.orientation.size(Size(*frame.borrow().size)))
        yield frame
