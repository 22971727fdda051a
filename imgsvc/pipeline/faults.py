"""What is wrong with a pipeline, told so that the caller can mend it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from imgsvc.errors import Fault, InvalidOperation
from imgsvc.pipeline.allowed import Allowed, allowed, phrase
from imgsvc.pipeline.words import Word

#: Faults after which reading stops: a request with more is nonsense rather than mistaken.
MAX_FAULTS = 20
#: Characters of a given value that are repeated to the caller.
_SHOWN = 40


def refusal(faults: list[Fault]) -> InvalidOperation:
    """The error that lists these faults."""
    first, more = faults[0].detail, len(faults) - 1
    detail = first if not more else f"{first} (and {more} more fault{'s' * (more > 1)})"
    return InvalidOperation(detail, errors=tuple(faults))


def shown(value: object) -> str:
    """A given value as an error repeats it: quoted, printable and short."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    text = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return text if isinstance(value, int | float) else f"'{text}'"


def pointer(*steps: str | int) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join("/" + str(step)[:_SHOWN].replace("~", "~0").replace("/", "~1") for step in steps)


def near(given: str, names: Iterable[str]) -> str:
    """`; did you mean 'resize'?`, or nothing where no name is near."""
    return _guess(get_close_matches(given[:_SHOWN].lower(), list(names), n=3, cutoff=0.6))


def _guess(found: Sequence[str]) -> str:
    return f"; did you mean {' or '.join(map(repr, found))}?" if found else ""


def judged(error: ValidationError, word: Word, given: dict[str, object]) -> Iterator[tuple[str, Fault]]:
    """What a model found wrong, once for each field, as (field or "", fault without its place)."""
    seen: set[str] = set()
    for details in error.errors(include_url=False, include_input=False):
        field = str(details["loc"][0]) if details["loc"] else _context(details).get("field", "")
        if field not in seen:
            seen.add(field)
            yield field, _fault(details, word, field, given)


def value_fault(word: Word, field: str, value: object, reason: str = "") -> Fault:
    """A value that is not allowed."""
    return _value_fault(word, field, value, reason, {})


def fits(word: Word, field: str, value: str) -> bool:
    """Could this text be a value of the field?"""
    parameter = word.parameters[field]
    if parameter.flag or parameter.prose:
        return False
    model: type[BaseModel] = word.model
    try:
        validator = model.__pydantic_validator__
        validator.validate_assignment(model.model_construct(), field, parameter.read(value))
    except ValidationError as error:
        return all(details["loc"][:1] != (field,) for details in error.errors())
    except ValueError:
        return False
    return True


def _fault(details: ErrorDetails, word: Word, field: str, given: dict[str, object]) -> Fault:
    if field in word.parameters and details["type"] == "missing":
        bounds = _bounds(word, field) or word.model.example
        return Fault(detail=f"{word.name} needs {field}: {phrase(bounds)}", allowed=bounds)
    if field in given and field in word.parameters and details["loc"]:
        return _value_fault(word, field, given[field], "", _context(details))
    return Fault(detail=f"{word.name}: {_context(details).get('error') or details['msg']}")


def _value_fault(word: Word, field: str, value: object, reason: str, context: dict[str, Any]) -> Fault:
    bounds = context.get("allowed") or _bounds(word, field)
    said = f"{field} of {word.name} {reason}" if reason else f"{field} of {word.name} can't be {shown(value)}"
    words = [str(choice) for choice in bounds] if isinstance(bounds, tuple) else []
    hint = _guess(context.get("meant", ()))
    if not hint and isinstance(value, str):
        hint = near(value, words)
    return Fault(detail=f"{said}; allowed is {phrase(bounds)}{hint}" if bounds else said, allowed=bounds)


def _bounds(word: Word, field: str) -> Allowed:
    """What a field allows; a value type says it in its description."""
    bounds = allowed(word.model, field)
    if bounds is None:
        kind = word.model.model_fields[field].annotation
        for leaf in (kind, *getattr(kind, "__args__", ())):
            bounds = bounds or getattr(leaf, "ALLOWED", None)
    return bounds


def _context(details: ErrorDetails) -> dict[str, Any]:
    return details.get("ctx") or {}
