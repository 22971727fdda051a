"""One picture in several sizes and formats: common operations once, each size from one that is at hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from imgsvc.imaging.decode import Frame
from imgsvc.imaging.output import Output
from imgsvc.imaging.steps import Clock
from imgsvc.operations import Operation
from imgsvc.pipeline import Pipeline
from imgsvc.raster.geometry import Size

#: How many times as wide as a size a picture must be for that size to be made of it. What a lossless source
#: may show, hard lines, suffers most from being resampled twice: at 2 a screenshot stays above 42 dB of one
#: resampled at once, at 1.25 it would be 39. A JPEG has no such lines left, and what begins with a reduced
#: decode instead is as far from a full one (44 to 53 dB) as this is (48 and more). All in docs/srcset.md.
GAP, JPEG_GAP = 2.0, 1.25


class Ladder:
    """Outputs that share their first operations; with one output it is nothing but that output.

    They come from the largest to the smallest. What they have in common is done once, for the first of
    them; the rest of an output's operations, one resize, starts from the smallest picture at hand that is
    wide enough (`GAP`). Outputs that differ in nothing but their format share their pixels.
    """

    def __init__(self, outputs: Sequence[Output]) -> None:
        self.outputs = tuple(outputs)
        self._common = _common([output.pipeline.operations for output in outputs])
        self._gap = _gap(outputs[0], self._common)
        self._rungs = [_Rung(tuple(found)) for _, found in groupby(outputs, key=_operations)]

    def __repr__(self) -> str:
        return f"<Ladder {', '.join(output.name for output in self.outputs)}>"

    @property
    def moves(self) -> bool:
        """Is one of its outputs an animation?"""
        return any(output.moves for output in self.outputs)

    @property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """Those of its outputs."""
        return tuple(output.pipeline for output in self.outputs)

    def climb(self, frame: Frame, clock: Clock, *, first: bool, last: bool) -> Iterator[Output]:
        """Take a frame to every output that wants it (all want the first), each as soon as it has it.

        `last`: nobody else needs the frame.
        """
        lead = self._rungs[0].outputs[0]
        start = lead.begin(frame, last=last)
        lead.advance(start, clock, stop=self._common)
        size, sources = start.size, self._sources(start.size)
        at_hand = {-1: start}
        del start
        for number, rung in enumerate(self._rungs):
            # Whoever needs a picture last has it for good, so that its memory is free early.
            needed = sources[number] in sources[number + 1 :]
            place = at_hand[sources[number]].copy() if needed else at_hand.pop(sources[number])
            place.size = size  # a smaller picture of the same, as after a reduced decode
            rung.outputs[0].advance(place, clock, start=self._common)
            image = rung.outputs[0].finish(place)
            if number in sources:
                at_hand[number] = place
            del place
            for output in rung.outputs:
                if first or output.moves:
                    output.add(image, frame.duration)
            del image
            yield from (output for output in rung.outputs if first or output.moves)

    def _sources(self, size: Size) -> list[int]:
        """From which rung each one is made; -1: from the picture that they have in common.

        What is kept for others meanwhile is never more than that picture itself.
        """
        found: list[int] = []
        sizes: list[Size] = []
        #: The last one for which a rung is kept.
        last: dict[int, int] = {}
        for number, rung in enumerate(self._rungs):
            rest = rung.operations[self._common :]
            after = _after(rest, size)
            shrinks = len(rest) == 1 and rest[0].reduction(size) > 1
            wide = [each for each, its in enumerate(sizes) if its.width >= self._gap * after.width]
            kept = [each for each in wide if each in last]
            for source in (*wide[-1:], *kept[-1:]) if shrinks else ():
                if _most(sizes, last | {source: number}) <= size.pixels:
                    last[source] = number
                    found.append(source)
                    break
            else:
                found.append(-1)
            sizes.append(after)
        return found


class _Rung:
    """Outputs of one size."""

    def __init__(self, outputs: tuple[Output, ...]) -> None:
        self.outputs = outputs
        self.operations = _operations(outputs[0])


def ladders(outputs: Sequence[Output], groups: Sequence[Sequence[str]]) -> list[Ladder]:
    """All outputs, those of a group on one ladder, in the order of the first of each."""
    leads = {name: group[0] for group in groups for name in group}
    found: dict[str, list[Output]] = {}
    for output in outputs:
        found.setdefault(leads.get(output.name, output.name), []).append(output)
    return [Ladder(members) for members in found.values()]


def _gap(output: Output, common: int) -> float:
    """What there is of a JPEG after operations that draw nothing is soft enough for the smaller one."""
    drawn = any(not (each.scales or each.native) for each in output.pipeline.operations[:common])
    return JPEG_GAP if output.source_format == "jpeg" and not drawn else GAP


def _operations(output: Output) -> tuple[Operation, ...]:
    return output.pipeline.operations


def _common(chains: Sequence[tuple[Operation, ...]]) -> int:
    """How many operations all of them begin with."""
    count = 0
    for steps in zip(*chains, strict=False):
        if any(step != steps[0] for step in steps):
            break
        count += 1
    return count


def _most(sizes: Sequence[Size], last: Mapping[int, int]) -> int:
    """The most pixels that are kept at a time, when each of these rungs is kept until its last use."""
    return max(
        sum(sizes[each].pixels for each, end in last.items() if each <= moment < end) for moment in last
    )


def _after(operations: Sequence[Operation], size: Size) -> Size:
    for operation in operations:
        size = operation.size_after(size)
    return size
