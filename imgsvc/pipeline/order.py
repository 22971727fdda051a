"""What stands where in a pipeline: presets are replaced by what they stand for, and the order is judged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imgsvc.formats import Ending
from imgsvc.operations import Operation
from imgsvc.pipeline.calls import Call, Reader
from imgsvc.pipeline.pipeline import Pipeline
from imgsvc.pipeline.preset import Use
from imgsvc.pipeline.presets import NoSuchPreset, Preset, Presets, find
from imgsvc.pipeline.words import word

#: Operations in one pipeline, the output format not counted, with those of its presets.
MAX_OPERATIONS = 20


@dataclass(frozen=True, slots=True)
class Part:
    """What one word of a pipeline stands for: itself, or all that is in a preset."""

    #: None where the word is unknown; that is told already.
    call: Call | None
    #: Empty where something is wrong with it.
    steps: tuple[Operation | Ending, ...] = ()
    preset: Preset | None = None
    #: Was the preset's version said?
    pinned: bool = False

    @property
    def kinds(self) -> tuple[type[Operation | Ending] | None, ...]:
        """What is done here, one after the other; None for what is not known."""
        if self.preset is not None:
            return tuple(type(step) for step in self.steps)
        model = None if self.call is None else self.call.word.model
        return (None if model is None or issubclass(model, Use) else model,)

    @property
    def text(self) -> str:
        """Its canonical text; a preset stays one."""
        if self.preset is None:
            return "/".join(word(type(step)).text(step) for step in self.steps)
        return f"{word(Use).name}:{self.preset.pinned if self.pinned else self.preset.name}"

    def said(self, noun: str, kind: type[Operation | Ending]) -> str:
        """How an error names something of this part."""
        what = f"{noun}{word(kind).name}"
        return what if self.preset is None else f"preset '{self.preset.name}' has {what}, which"


def spliced(reader: Reader, calls: Iterable[Call | None], presets: Presets) -> list[Part]:
    """The parts that these calls make; what is wrong with one is noted."""
    return [Part(None) if call is None else _part(reader, call, presets) for call in calls]


def whole(parts: Sequence[Part]) -> Pipeline:
    """The pipeline that parts in good order make."""
    steps = [step for part in parts for step in part.steps]
    used = [part for part in parts if part.preset is not None]
    last = steps[-1] if steps else None
    return Pipeline(
        tuple(step for step in steps if isinstance(step, Operation)),
        last if isinstance(last, Ending) else None,
        presets=tuple(dict.fromkeys(part.preset.name for part in used if part.preset is not None)),
        floating=any(not part.pinned for part in used),
        spelling="/".join(part.text for part in parts) if used else None,
    )


def judge(reader: Reader, parts: Sequence[Part]) -> None:
    """Note what is in the wrong place, and what is too much."""
    operations = 0
    for index, part in enumerate(parts):
        before = operations
        for kind in part.kinds:
            if kind is not None and issubclass(kind, Ending):
                if index != len(parts) - 1:
                    _fault(reader, part, f"{part.said('the format ', kind)} can only be last")
                continue
            if kind is not None and kind.first_only and index:
                _fault(reader, part, f"{part.said('', kind)} can only be first")
            operations += 1
        if before <= MAX_OPERATIONS < operations:
            _too_many(reader, part, index)


def _part(reader: Reader, call: Call, presets: Presets) -> Part:
    step = reader.build(call)
    if not isinstance(step, Use):
        return Part(call, () if step is None else (step,))
    try:
        preset = find(presets, step)
    except NoSuchPreset as error:
        key, offset = call.places["name"]
        reader.fault(str(error), call.index, key, offset=offset, allowed=error.allowed)
        return Part(call)
    return Part(call, preset.pipeline.steps, preset, pinned=step.hash is not None)


def _too_many(reader: Reader, part: Part, index: int) -> None:
    most = f"at most {MAX_OPERATIONS} operations"
    more = "" if part.preset is None else f", those of preset '{part.preset.name}' among them"
    offset = None if part.call is None else part.call.offset
    reader.fault(f"a pipeline has {most}{more}", index, offset=offset, allowed=most)


def _fault(reader: Reader, part: Part, detail: str) -> None:
    if part.call is not None:
        reader.fault(detail, part.call.index, offset=part.call.offset)
