"""What a pipeline is: operations in order and an output format; its canonical text is its identity."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from imgsvc import formats
from imgsvc.formats import Ending, Format
from imgsvc.operations import Kept, Operation
from imgsvc.pipeline.parameters import Scalar
from imgsvc.pipeline.words import word
from imgsvc.raster.geometry import Size


@dataclass(frozen=True, eq=False)
class Pipeline:
    """Operations in order and, at its end, how the result is encoded.

    Two pipelines are equal when their canonical texts are, however they were written. The empty pipeline
    only re-encodes; its text is empty.
    """

    operations: tuple[Operation, ...] = ()
    #: None keeps the source's format; `auto` has one chosen.
    format: Ending | None = None
    #: May the answer be the source itself where that is smaller, though in another format than this one? So
    #: it is where the format was chosen, among those that a client accepts.
    or_source: bool = False
    #: The presets that it was written with, whose operations are among `operations` by now.
    presets: tuple[str, ...] = ()
    #: Was one of them written without its version, so that the same text may mean something else one day?
    floating: bool = False
    #: Its canonical text with the presets as they were used; None where there were none.
    spelling: str | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pipeline) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __str__(self) -> str:
        return self.text

    @cached_property
    def text(self) -> str:
        """The canonical text: `resize:300x200,fit=cover/grayscale/webp:82`."""
        return "/".join(word(type(step)).text(step) for step in self.steps)

    @property
    def written(self) -> str:
        """The canonical text of what was asked for, presets by their names, whatever they stand for."""
        return self.text if self.spelling is None else self.spelling

    @cached_property
    def full_text(self) -> str:
        """The canonical text with every default filled in: what cached results are known by.

        A default that changes in a later version makes another text, and so another result.
        """
        return "/".join(word(type(step)).full(step) for step in self.steps)

    def json(self) -> list[dict[str, Scalar]]:
        """The canonical JSON form: one object per operation, arguments at their default left out."""
        return [word(type(step)).json(step) for step in self.steps]

    def names(self) -> tuple[str, ...]:
        """The operations' names, in order, the format's not among them."""
        return tuple(word(type(operation)).name for operation in self.operations)

    def sizes(self, size: Size) -> tuple[Size, ...]:
        """The picture's size after each operation, for a source that is displayed at `size`."""
        after: list[Size] = []
        for operation in self.operations:
            size = operation.size_after(size)
            after.append(size)
        return tuple(after)

    def changes_nothing(self, size: Size) -> bool:
        """Does a source that is displayed at `size` keep its pixels, and is it only encoded anew?"""
        before = (size, *self.sizes(size))
        return all(operation.idle(size) for operation, size in zip(self.operations, before, strict=False))

    def sources(self) -> tuple[str, ...]:
        """The ids of the other images that its operations read, each once."""
        return tuple(dict.fromkeys(image for operation in self.operations for image in operation.sources()))

    @property
    def negotiates(self) -> bool:
        """Is its format still to be chosen by what a client accepts (`auto`)?"""
        return self.format is not None and not isinstance(self.format, Format)

    def encoder(self, source_format: str) -> Format:
        """How the result of a source of this format is encoded.

        Raises ValueError while that is to be chosen: `negotiation.resolve` does.
        """
        if self.format is None:
            return formats.registry()[source_format]()
        if not isinstance(self.format, Format):
            raise ValueError(f"the format of {self.text!r} has not been chosen yet")  # noqa: TRY004  # as any bug
        return self.format

    def alpha_after(self, alpha: bool) -> bool:
        """May the picture have alpha after the last operation, when the source may or may not?"""
        for operation in self.operations:
            alpha = operation.alpha_after(alpha)
        return alpha

    @property
    def upright(self) -> bool:
        """Is the source turned as its EXIF orientation says before the first operation?"""
        return all(operation.upright for operation in self.operations)

    @property
    def keeps(self) -> frozenset[Kept]:
        """What the result carries over from the source."""
        return frozenset(kept for operation in self.operations for kept in operation.keeps)

    @property
    def steps(self) -> tuple[Operation | Ending, ...]:
        """The operations and, where there is one, the format."""
        return self.operations if self.format is None else (*self.operations, self.format)
