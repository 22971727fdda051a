"""One picture in several widths and formats, as a page's `srcset` wants it: what its outputs are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from imgsvc import formats
from imgsvc.formats import Format
from imgsvc.formats.auto import Auto
from imgsvc.operations import Operation
from imgsvc.operations.resize import Fit, Resize
from imgsvc.operations.thumbnail import Thumbnail
from imgsvc.pipeline.pipeline import Pipeline
from imgsvc.pipeline.words import word
from imgsvc.raster.geometry import Size, SizeSpec

#: What `auto` is made in before JPEG or PNG, in the order in which browsers are offered it.
NEW = ("avif", "webp")
#: What it is made in where the source moves: a moving AVIF takes longer to make than anything else, and
#: who shows it shows WebP too.
MOVING = ("webp", "gif")
#: Characters that a member's name has more than its picture's: `-65535.avif`.
SUFFIX = 11


@dataclass(frozen=True)
class Srcset:
    """A pipeline whose result is wanted in several widths and formats.

    `widths` rise and are there once each; none means the width that the pipeline itself gives. `formats`
    are in the order in which a browser is offered them, each kind once; none means the pipeline's own.
    """

    pipeline: Pipeline
    widths: tuple[int, ...] = ()
    formats: tuple[Format, ...] = ()

    @property
    def meaning(self) -> dict[str, object]:
        """All of it as plain values, the same for two that mean the same."""
        return {
            "ops": self.pipeline.written,
            "widths": list(self.widths),
            "formats": [word(type(kind)).text(kind) for kind in self.formats],
        }

    @property
    def most(self) -> int:
        """How many results it has at most."""
        each = len(NEW) + 1 if self.pipeline.negotiates and not self.formats else len(self.formats)
        return max(1, len(self.widths)) * max(1, each)

    @property
    def longest(self) -> int:
        """Operations that its longest member has."""
        return len(self.pipeline.operations) + (0 if _resizes(self.pipeline.operations) else 1)

    def members(
        self, name: str, size: Size, *, source_format: str, alpha: bool, moves: bool = False
    ) -> dict[str, Pipeline]:
        """Its outputs by their names, the largest first, for a source that is worked on at `size`.

        `source_format`, `alpha` and `moves` tell of the source, too.
        Widths above the one that the pipeline gives are left out; where nothing is left, that one is all
        there is. The format is always the last word, also where the source's is kept.
        """
        own = (size, *self.pipeline.sizes(size))[-1].width
        kept = self.formats or self._kept(source_format, alpha=alpha, moves=moves)
        widths = [width for width in self.widths if width <= own] or [own]
        return {
            member(name, width, kind): replace(
                self.pipeline, operations=self._operations(width, own), format=kind
            )
            for width in reversed(widths)
            for kind in kept
        }

    def _kept(self, source_format: str, *, alpha: bool, moves: bool) -> tuple[Format, ...]:
        """The pipeline's own format; where that is `auto`, what each client gets a picture of its own of."""
        if not isinstance(self.pipeline.format, Auto):
            return (self.pipeline.encoder(source_format),)
        plain = "png" if self.pipeline.alpha_after(alpha) else "jpeg"
        names = MOVING if moves else (*NEW, plain)
        return tuple(self.pipeline.format.of(formats.registry()[name]) for name in names)

    def _operations(self, width: int, own: int) -> tuple[Operation, ...]:
        """What makes the picture so wide.

        A resize at the end that keeps the ratio is asked for the width instead: the picture between would
        be for nothing.
        """
        chain = self.pipeline.operations
        # Only what stands upright is known to be as wide as we think.
        if width == own and self.pipeline.upright:
            return chain
        wanted = SizeSpec.of(width, None)
        if _resizes(chain):
            return (*chain[:-1], chain[-1].model_copy(update={"size": wanted}))
        return (*chain, Resize(size=wanted))


def member(name: str, width: int, kind: Format) -> str:
    """What a member is called: `hero-640.webp`."""
    return f"{name}-{width}.{kind.extension}"


def rival(name: str, others: Iterable[str]) -> str | None:
    """One of the other outputs' names that a member of the picture `name` might have, whatever its width."""
    extensions = "|".join(kind.extension for kind in formats.registry().values())
    taken = re.compile(rf"{re.escape(name)}-[0-9]+\.({extensions})")
    return next((other for other in others if taken.fullmatch(other)), None)


def _resizes(chain: tuple[Operation, ...]) -> bool:
    """Does it end with a resize that keeps the ratio and never enlarges?"""
    match chain[-1:]:
        case (Thumbnail(),) | (Resize(fit=Fit.CONTAIN, enlarge=False),):
            return True
    return False
