"""Which reduced master a pipeline is rendered from: decided by sizes alone, so that it is always the same."""

from __future__ import annotations

from dataclasses import dataclass

from imgsvc.imaging.decode import SCALES, reduction, shrink, shrinks
from imgsvc.imaging.facts import Facts
from imgsvc.pipeline import Pipeline
from imgsvc.raster.geometry import Size, half_up

#: A reduction that the decoder makes by itself may be so many times longer than other masters: half of a
#: photograph of 24 MP is then among them. Being exact it is worth its room.
_ROOM = 1.5
#: How many times larger than needed a master must stay that was resampled. With less, JPEGs at quality 80 of
#: a noisy photograph come within 42 dB of those made from the original (docs/performance.md).
_GAP = 3.0


@dataclass(frozen=True, slots=True)
class Level:
    """One reduction of a picture.

    Either the decoder's own, to one part in `scale` of its sides: what is made from it is, byte for byte,
    what would be made from the original. Or, with `side`, the whole picture resampled until its
    longer side has so many pixels.
    """

    scale: int = 1
    side: int | None = None

    @property
    def exact(self) -> bool:
        """Are its pixels those that a pipeline would be given without a master?"""
        return self.side is None

    @property
    def path(self) -> str:
        """What results depend on beside the image and the pipeline: part of their keys."""
        return "direct" if self.exact else str(self)

    def __str__(self) -> str:
        return f"{self.scale}" if self.side is None else f"m{self.side}"

    @classmethod
    def parse(cls, text: str) -> Level:
        """What `str` gave; raises ValueError."""
        return cls(side=int(text[1:])) if text.startswith("m") else cls(int(text))

    def size(self, stored: Size) -> Size:
        """The size of the master of a picture that is stored at this size."""
        if self.side is None:
            return Size(-(-stored.width // self.scale), -(-stored.height // self.scale))
        longer = max(stored)
        return Size(half_up(stored.width * self.side, longer), half_up(stored.height * self.side, longer))


def level(facts: Facts, pipeline: Pipeline, side: int, gap: float) -> Level | None:
    """The master that a pipeline starts from; None: the original.

    `side` is the longest side of masters, `gap` that of reduced decodes (`Limits.reduce_gap`). A pipeline
    that does not heed the source's orientation starts from the original: its sizes depend on how the
    picture is stored, which not everybody knows who asks.
    """
    possible = levels(facts, side)
    if not possible or not pipeline.upright:
        return None
    factor = reduction(facts, [pipeline])
    if shrinks(facts):
        exact = Level(shrink(facts, factor / gap))
        return exact if exact in possible else None
    return possible[0] if factor * side >= _GAP * max(facts.size) else None


def levels(facts: Facts, side: int) -> tuple[Level, ...]:
    """Every master that some pipeline may start from, the largest first.

    Pictures that are no larger than masters have none, nor have animations.
    """
    longer = max(facts.size)
    if facts.frames > 1 or not 0 < side < longer:
        return ()
    if not shrinks(facts):
        return (Level(side=side),)
    return tuple(Level(scale) for scale in reversed(SCALES) if -(-longer // scale) <= side * _ROOM)
