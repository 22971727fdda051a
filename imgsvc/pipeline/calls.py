"""One use of an operation: arguments matched to parameters, then judged by its model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from imgsvc.errors import Fault, InvalidOperation
from imgsvc.formats import Ending
from imgsvc.operations import Operation
from imgsvc.pipeline.allowed import Allowed
from imgsvc.pipeline.faults import MAX_FAULTS, fits, judged, near, pointer, refusal, shown, value_fault
from imgsvc.pipeline.parameters import SIDE
from imgsvc.pipeline.preset import Use
from imgsvc.pipeline.scan import Argument, Chunk, check, unescape
from imgsvc.pipeline.words import SYNONYMS, Word


@dataclass(slots=True)
class Call:
    """One operation as asked for, not yet judged."""

    word: Word
    index: int
    #: Characters before it in the text; None in the JSON form.
    offset: int | None
    given: dict[str, object] = field(default_factory=dict)
    #: Where each parameter was given: its key as written in JSON, and its offset in text.
    places: dict[str, tuple[str, int | None]] = field(default_factory=dict)
    #: Something was wrong with its arguments: what is missing for that reason is not told.
    spoiled: bool = False


class Reader:
    """Reads calls and gathers what is wrong with them."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def fault(
        self, detail: str, *place: str | int, offset: int | None = None, allowed: Allowed = None
    ) -> None:
        """Note a fault at `place`, the steps of its JSON pointer; with enough of them reading stops."""
        self.faults.append(Fault(detail=detail, pointer=pointer(*place), offset=offset, allowed=allowed))
        if len(self.faults) == MAX_FAULTS:
            raise self.refusal()

    def refusal(self) -> InvalidOperation:
        """The error that lists what was noted, in the order of the operations."""
        return refusal(sorted(self.faults, key=_index))

    def build(self, call: Call) -> Operation | Ending | Use | None:
        """The value that a call stands for; None with its faults noted."""
        word, given = call.word, call.given
        if word.sides and ("width" in given or "height" in given):
            self._join_sides(call)
        if call.spoiled:
            return None
        try:
            return word.model.model_validate(given)
        except ValidationError as error:
            for name, fault in judged(error, word, given):
                key, offset = call.places.get(name, (name, call.offset))
                place = (call.index, key) if key else (call.index,)
                self.fault(fault.detail, *place, offset=offset, allowed=fault.allowed)
            return None

    def _join_sides(self, call: Call) -> None:
        """Make `size` of `width` and `height`."""
        sides = [call.given.pop(side, None) for side in ("width", "height")]
        place = call.places.get("width") or call.places["height"]
        if "size" in call.given:
            key, offset = place
            self.fault(
                f"{call.word.name} takes size, or width and height, not both", call.index, key, offset=offset
            )
            call.spoiled = True
            return
        call.given["size"] = "x".join("" if side is None else str(side) for side in sides)
        call.places["size"] = place


def from_text(reader: Reader, index: int, chunk: Chunk, word: Word | None) -> Call | None:
    """Match the arguments of the text form to their parameters."""
    if word is None:
        return None
    call = Call(word, index, chunk.offset)
    for number, argument in enumerate(chunk.arguments):
        found = _parameter(reader, call, number, argument)
        if found is None:
            call.spoiled = True
            continue
        name, bare = found
        try:
            value = True if bare else _read(word, name, unescape(argument.value))
        except ValueError as error:
            fault = value_fault(word, name if name in word.parameters else "size", argument.value, str(error))
            reader.fault(fault.detail, index, name, offset=argument.offset, allowed=fault.allowed)
            call.spoiled = True
            continue
        _give(reader, call, name, value, (name, argument.offset))
    return call


def from_mapping(
    reader: Reader, index: int, pairs: Iterable[tuple[str, Any]], word: Word | None
) -> Call | None:
    """Match the members of the JSON form to their parameters."""
    if word is None:
        return None
    call = Call(word, index, None)
    for key, value in pairs:
        name = word.field(key)
        if name is None:
            _unknown(reader, call, key, None)
            continue
        if value is None and (name not in word.parameters or word.parameters[name].default is None):
            continue  # null says: not given
        try:
            taken = _take(word, name, value)
        except ValueError as error:
            fault = value_fault(word, name if name in word.parameters else "size", value, str(error))
            reader.fault(fault.detail, index, key, allowed=fault.allowed)
            call.spoiled = True
            continue
        _give(reader, call, name, taken, (key, None))
    return call


def _parameter(reader: Reader, call: Call, number: int, argument: Argument) -> tuple[str, bool] | None:
    """Which parameter an argument is for, and whether it is a bare flag; None with a fault noted."""
    word = call.word
    if argument.key is not None:
        name = word.field(argument.key)
        if name is None:
            _unknown(reader, call, argument.key, argument.offset)
        return None if name is None else (name, False)
    first_positional = number == 0 and word.positional
    flag = word.parameters.get(argument.value.strip())
    if flag is not None and flag.flag and not first_positional:
        return flag.name, True
    if number < len(word.positional) and len(call.given) == number and not call.spoiled:
        return word.positional[number].name, False
    reader.fault(_misplaced(word, argument), call.index, offset=argument.offset, allowed=word.keys)
    return None


def _misplaced(word: Word, argument: Argument) -> str:
    value = argument.value.strip()
    if not value:
        return f"{word.name}: an argument is empty"
    said = f"{word.name} has no argument {shown(value)} here"
    for name in word.parameters:
        if not value[0].isdigit() and fits(word, name, value):
            return f"{said}; did you mean '{name}={value}'?"
    return said + near(value, [name for name, parameter in word.parameters.items() if parameter.flag])


def _unknown(reader: Reader, call: Call, key: str, offset: int | None) -> None:
    call.spoiled = True
    takes = f"takes {', '.join(call.word.keys)}" if call.word.keys else "takes no arguments"
    detail = f"{call.word.name} has no argument {shown(key)}, it {takes}{near(key, call.word.keys)}"
    reader.fault(detail, call.index, key, offset=offset, allowed=call.word.keys)


def _give(reader: Reader, call: Call, name: str, value: object, place: tuple[str, int | None]) -> None:
    if name in call.places:
        reader.fault(f"{call.word.name} is given {name} twice", call.index, place[0], offset=place[1])
        call.spoiled = True
        return
    call.given[name] = value
    call.places[name] = place


def _read(word: Word, name: str, text: str) -> object:
    value = word.parameters.get(name, SIDE).read(text)
    return SYNONYMS[name].get(str(value), value) if name in SYNONYMS else value


def _take(word: Word, name: str, value: object) -> object:
    """A JSON value as its parameter takes it; raises ValueError with the reason."""
    if not isinstance(value, str | int | float):
        raise ValueError("is neither text, a number nor a boolean")  # noqa: TRY004  # a caller's fault, told as one
    if isinstance(value, str):
        try:
            check(value)
        except InvalidOperation as error:
            raise ValueError(f"is no text: {error}") from None
        return _read(word, name, value)
    return word.parameters.get(name, SIDE).take(value)


def _index(fault: Fault) -> int:
    """Which operation a fault is in."""
    return int((fault.pointer or "").split("/")[1])
