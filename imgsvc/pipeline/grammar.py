"""Reading pipelines: from text, from JSON; every fault is found and placed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from imgsvc import formats, operations
from imgsvc.errors import Fault, InvalidOperation
from imgsvc.pipeline import order
from imgsvc.pipeline.calls import Call, Reader, from_mapping, from_text
from imgsvc.pipeline.faults import near, refusal, shown
from imgsvc.pipeline.order import MAX_OPERATIONS
from imgsvc.pipeline.pipeline import Pipeline
from imgsvc.pipeline.preset import Use
from imgsvc.pipeline.presets import NONE, Presets
from imgsvc.pipeline.scan import check, chunk, chunks, several
from imgsvc.pipeline.words import Word, word

#: Pipelines remembered by their text, and the longest text that is: at most about 2 MB.
_REMEMBERED, _MEMORABLE = 1024, 512
#: How a preset is used: `preset:avatar`.
_PRESET = word(Use).name


class Grammar:
    """Reads pipelines; `testing` adds the operations that exist for outside tests.

    A use of one of the `presets` is replaced by what it stands for, so that a pipeline holds none.
    """

    def __init__(self, *, testing: bool = False, presets: Presets = NONE) -> None:
        self.testing = testing
        self._presets = presets
        self._operations = operations.registry(testing=testing)
        self._endings = formats.endings()
        self._remembered = lru_cache(_REMEMBERED)(self._parse)

    def parse(self, text: str) -> Pipeline:
        """Read the text form; the empty text is the empty pipeline, which only re-encodes.

        Raises InvalidOperation with every fault: its pointer into the JSON form, its offset in
        the text, and what is allowed.
        """
        return self._remembered(text) if len(text) <= _MEMORABLE else self._parse(text)

    def load(self, value: object) -> Pipeline:
        """Read either form as a caller may send it: text, JSON text, or the list that it stands for.

        Raises InvalidOperation, also for the empty pipeline.
        """
        if isinstance(value, str):
            value = value.strip()
            pipeline = self._load_json(value) if value.startswith("[") else self.parse(value)
        else:
            pipeline = self._load_list(value)
        if not pipeline.operations and pipeline.format is None:
            raise refusal([Fault(detail="the pipeline is empty", pointer="", offset=0)])
        return pipeline

    def _parse(self, text: str) -> Pipeline:
        check(text)
        if not text.strip():
            return Pipeline()
        reader = Reader()
        calls = [
            from_text(reader, index, piece, self._word(reader, index, piece.name, piece.offset))
            for index, piece in zip(range(MAX_OPERATIONS + 2), chunks(text), strict=False)
        ]
        return self._build(reader, calls)

    def _load_json(self, text: str) -> Pipeline:
        check(text)
        try:
            value = json.loads(text, object_pairs_hook=_Pairs, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            offset = error.pos if isinstance(error, json.JSONDecodeError) else None
            detail = "the pipeline is not valid JSON"
            raise InvalidOperation(
                detail, errors=(Fault(detail=detail, pointer="", offset=offset),)
            ) from None
        return self._load_list(value)

    def _load_list(self, value: object) -> Pipeline:
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            raise refusal([Fault(detail="a pipeline is text or a list of operations", pointer="")])
        reader = Reader()
        calls = [self._item(reader, index, item) for index, item in enumerate(value[: MAX_OPERATIONS + 2])]
        return self._build(reader, calls)

    def _item(self, reader: Reader, index: int, item: object) -> Call | None:
        """One operation of the JSON form: text or an object."""
        if isinstance(item, str):
            check(item)
            if several(item):
                reader.fault("an item of the list is one operation", index)
                return None
            piece = chunk(item)
            return from_text(reader, index, piece, self._word(reader, index, piece.name, piece.offset))
        if not isinstance(item, Mapping | _Pairs):
            reader.fault("an item of the list is text or an object with 'op'", index)
            return None
        pairs = _pairs(item)
        names = [value for key, value in pairs if key == "op"]
        if len(names) != 1 or not isinstance(names[0], str):
            reader.fault("an operation needs its name in 'op', once", index, "op")
            return None
        found = self._word(reader, index, names[0], None)
        return from_mapping(reader, index, [pair for pair in pairs if pair[0] != "op"], found)

    def _word(self, reader: Reader, index: int, name: str, offset: int | None) -> Word | None:
        if name == _PRESET:
            return word(Use)
        model = self._operations.get(name) or formats.named().get(name)
        if model is not None:
            return word(model)
        names = tuple(sorted((*self._operations, *self._endings, *([_PRESET] if self._presets else ()))))
        detail = f"there is no operation {shown(name)}{self._near(name, names)}"
        where = () if offset is not None else ("op",)
        reader.fault(
            detail if name else "an operation is missing", index, *where, offset=offset, allowed=names
        )
        return None

    def _near(self, name: str, names: Sequence[str]) -> str:
        """What may have been meant: the name of a preset, where it is one, else what is near."""
        bare = name.partition("@")[0]
        return f"; did you mean '{_PRESET}:{bare}'?" if bare in self._presets else near(name, names)

    def _build(self, reader: Reader, calls: Sequence[Call | None]) -> Pipeline:
        """The pipeline that these calls make, or every fault in them."""
        parts = order.spliced(reader, calls, self._presets)
        order.judge(reader, parts)
        if reader.faults:
            raise reader.refusal()
        return order.whole(parts)


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as it was written: a repeated key stays visible."""


def _pairs(item: Mapping[str, Any] | _Pairs) -> Iterable[tuple[str, Any]]:
    return list(item) if isinstance(item, _Pairs) else [(str(key), value) for key, value in item.items()]


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")
