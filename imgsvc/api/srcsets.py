"""Outputs with `widths` or `formats`: read strictly, every fault with its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches

from imgsvc.api.parameters import pointer
from imgsvc.errors import Fault, InvalidOperation, InvalidParameter
from imgsvc.formats import Format
from imgsvc.pipeline import MAX_OPERATIONS, Pipeline, Srcset
from imgsvc.pipeline.srcset import SUFFIX, rival
from imgsvc.raster.geometry import MAX_SIDE

#: What an output may say when it is an object.
FIELDS = ("ops", "widths", "formats")
_WIDTHS_RULE = f"a list of whole numbers from 1 to {MAX_SIDE}"
_FORMATS_RULE = 'a list of formats such as ["avif", "webp:82", "jpeg"]'

#: Reads a pipeline that stands at these steps of the request's pointer.
Load = Callable[[object, tuple[str, ...]], Pipeline]


def read(name: str, value: Mapping[str, object], load: Load) -> Pipeline | Srcset:
    """One output that is an object; without widths and formats it is its pipeline.

    Raises InvalidParameter and what `load` raises.
    """
    if not any(key in FIELDS for key in value):
        return load(value, (name,))  # what was meant is a pipeline
    for key in value:
        if key not in FIELDS:
            near = get_close_matches(key[:40], FIELDS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise bad(f"an output has {', '.join(FIELDS)} and nothing else{hint}", FIELDS, name, key)
    if value.get("ops") is None:
        raise bad("an output with widths needs ops, its pipeline", "ops", name, "ops")
    pipeline = load(value["ops"], (name, "ops"))
    widths = _widths(name, value["widths"]) if value.get("widths") is not None else ()
    formats = _formats(name, value["formats"], load) if value.get("formats") is not None else ()
    if not widths and not formats:
        return pipeline
    if formats and pipeline.format is not None and not pipeline.negotiates:
        raise bad(
            "formats say how the picture is encoded; leave out the format at the end of ops",
            _FORMATS_RULE,
            name,
            "formats",
        )
    found = Srcset(pipeline, widths, formats)
    if found.longest > MAX_OPERATIONS:
        rule = f"at most {MAX_OPERATIONS - 1} operations"
        raise bad(f"with widths a pipeline has {rule}: the last one is the resize", rule, name, "ops")
    return found


def check(outputs: Mapping[str, Pipeline | Srcset], limit: int, longest: int) -> None:
    """Refuse results that are too many or whose names would be too long or not their own."""
    for name, output in outputs.items():
        if not isinstance(output, Srcset):
            continue
        if len(name) > longest - SUFFIX:
            rule = f"at most {longest - SUFFIX} characters"
            raise bad(f"the name of an output with widths has {rule}, for theirs stand behind it", rule, name)
        other = rival(name, outputs)
        if other is not None:
            raise bad(
                f"the outputs {name!r} and {other!r} exclude each other: "
                f"the results of {name!r} are called like that",
                f"another name than {name}-WIDTH.EXTENSION",
                other,
            )
    total = sum(output.most if isinstance(output, Srcset) else 1 for output in outputs.values())
    if total > limit:
        rule = f"at most {limit} results, widths × formats"
        raise bad(f"the outputs ask for {total} results; a job has {rule}", rule)


def bad(detail: str, allowed: tuple[str, ...] | str, *where: str) -> InvalidParameter:
    """What is wrong with `outputs`, at these steps of its pointer."""
    fault = Fault(detail=detail, pointer=pointer("outputs", *where), allowed=allowed)
    return InvalidParameter(detail, errors=(fault,))


def placed(error: InvalidOperation, output: str | None, *where: str, item: bool = False) -> InvalidOperation:
    """The same faults with pointers into the whole request, and the output's name.

    `item`: the pipeline stands for one item of a list, which `where` leads to.
    """
    prefix = pointer(*where)
    faults = tuple(
        fault.model_copy(
            update={"pointer": prefix + (fault.pointer or "").removeprefix("/0" if item else "")}
        )
        for fault in error.problem.errors
    )
    return InvalidOperation(str(error), errors=faults, output=output)


def _widths(name: str, value: object) -> tuple[int, ...]:
    """They rise, each once: a list that a program has made may repeat one."""
    if not isinstance(value, list) or not value:
        raise bad(f"widths must be {_WIDTHS_RULE}", _WIDTHS_RULE, name, "widths")
    for index, width in enumerate(value):
        if not isinstance(width, int) or isinstance(width, bool) or not 1 <= width <= MAX_SIDE:
            rule = f"a whole number from 1 to {MAX_SIDE}"
            raise bad(f"a width must be {rule}", rule, name, "widths", str(index))
    return tuple(sorted(set(value)))


def _formats(name: str, value: object, load: Load) -> tuple[Format, ...]:
    if not isinstance(value, list) or not value:
        raise bad(f"formats must be {_FORMATS_RULE}", _FORMATS_RULE, name, "formats")
    found = tuple(_format(name, str(index), item, load) for index, item in enumerate(value))
    for index, each in enumerate(found):
        if type(each) in map(type, found[:index]):
            raise bad(
                f"{each.extension} is among the formats twice; a browser is offered each one once",
                _FORMATS_RULE,
                name,
                "formats",
                str(index),
            )
    return found


def _format(name: str, index: str, item: object, load: Load) -> Format:
    pipeline = load([item], (name, "formats", index))
    if pipeline.operations or not isinstance(pipeline.format, Format):
        raise bad(f"formats must be {_FORMATS_RULE}", _FORMATS_RULE, name, "formats", index)
    return pipeline.format
