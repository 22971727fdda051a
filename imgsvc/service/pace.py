"""How long an AVIF takes: a guess by its pixels, from those that have been made."""

from __future__ import annotations

from collections.abc import Iterable

from imgsvc.formats.avif import Avif
from imgsvc.pipeline import Pipeline
from imgsvc.raster.geometry import Size
from imgsvc.worker import Report, Target

#: Seconds for a pixel of a photograph at the usual speed, before any has been made: twice what was measured
#: (docs/performance.md), so that the first guess is on the safe side.
_AT_FIRST = 0.4e-6
#: How many times as long a quality that is looked for takes, at first: twice a sample and once the whole; as
#: often as `max_bytes` tries.
_LOOKED_FOR, _FITTED = 2.0, 7.0
#: How much a new measurement counts against all before it.
_NEW = 0.25

#: How a quality is come by: is it looked for, and must it fit?
_How = tuple[bool, bool]


class Pace:
    """What AVIF costs here and now, and what of it is within a budget."""

    def __init__(self, budget_s: float) -> None:
        """`budget_s`: seconds that an encoding may take where somebody waits who would do without AVIF."""
        self.budget_s = budget_s
        self._per_pixel: dict[_How, float] = {}

    def __repr__(self) -> str:
        return f"<Pace: {self._of((False, False)) * 1e9:.0f} ns a pixel, {self.budget_s:g} s>"

    def fits(self, pipeline: Pipeline, size: Size) -> bool:
        """Will the AVIF of a source that is worked on at `size` probably be within the budget?"""
        return (size, *pipeline.sizes(size))[-1].pixels <= self.pixels(pipeline)

    def pixels(self, pipeline: Pipeline) -> int:
        """How many pixels a result may have to be within the budget."""
        return int(self.budget_s / self._of(_how(pipeline.text)))

    def saw(self, report: Report, targets: Iterable[Target]) -> None:
        """Learn from what was made; AVIF of another speed tells nothing."""
        specs = {target.name: target.spec for target in targets}
        for result in report.results:
            spec = specs.get(result.name, "")
            if result.content_type != Avif.media_type or "speed=" in spec:
                continue
            spent = [
                step.wall_ms for step in report.steps if (step.output, step.op) == (result.name, "encode")
            ]
            pixels = result.width * result.height * result.frames
            how = _how(spec)
            before = self._of(how)
            self._per_pixel[how] = before + _NEW * (sum(spent) / 1000 / pixels - before)

    def _of(self, how: _How) -> float:
        at_first = _AT_FIRST * (_LOOKED_FOR if how[0] else 1) * (_FITTED if how[1] else 1)
        return self._per_pixel.get(how, at_first)


def _how(spec: str) -> _How:
    """By the last word of a canonical text, `avif:auto,max_bytes=9` or `auto:auto`."""
    arguments = spec.rpartition("/")[2].partition(":")[2].split(",")
    return "auto" in arguments, any(argument.startswith("max_bytes=") for argument in arguments)
