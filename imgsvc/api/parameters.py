"""Reading parameters: strict, every fault found, the same for query, form and JSON."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from enum import StrEnum
from typing import TypeVar
from urllib.parse import parse_qsl

from imgsvc.errors import Fault, InvalidParameter, MalformedRequest

_Choice = TypeVar("_Choice", bound=StrEnum)

#: More pairs than any request of ours has; what is longer is nonsense.
_MAX_PAIRS = 100
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_UNITS = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_YES, _NO = frozenset({"", "1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})


def query(query_string: bytes) -> dict[str, str]:
    """The parameters of a query string, percent-decoded once; `+` is a space, as forms and clients write it.

    Raises MalformedRequest for what is not UTF-8, and for a parameter that is there twice.
    """
    if not query_string:
        return {}
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_PAIRS
        )
    except ValueError:
        raise MalformedRequest("the query is not made of percent-encoded UTF-8 parameters") from None
    return once(pairs)


def once(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Pairs as a mapping; raises MalformedRequest for a name that is there twice."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise MalformedRequest(f"{_shown(name)} is given more than once")
        found[name] = value
    return found


class Reader:
    """Takes typed values out of parameters and collects what is wrong with them."""

    def __init__(self, values: Mapping[str, object], known: Iterable[str]) -> None:
        self._values = values
        self._faults: list[Fault] = []
        known = tuple(known)
        for name in values:
            if name not in known:
                near = get_close_matches(name[:40], known, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                self._fault(name, f"there is no parameter {_shown(name)}{hint}", known)

    def choice(self, name: str, kind: type[_Choice]) -> _Choice | None:
        """One of the words of an enumeration."""
        value = self._given(name)
        if value is None:
            return None
        words = tuple(str(member) for member in kind)
        if value in words:
            return kind(value)
        self._fault(name, f"{name} can't be {_shown(value)}; allowed is {', '.join(words)}", words)
        return None

    def choices(self, name: str, kind: type[_Choice]) -> tuple[_Choice, ...]:
        """Some of the words of an enumeration, separated by commas."""
        value = self._given(name)
        words = tuple(str(member) for member in kind)
        found = [word.strip() for word in str(value).split(",")] if value is not None else []
        for word in found:
            if word not in words:
                self._fault(name, f"{name} can't be {_shown(word)}; allowed is {', '.join(words)}", words)
                return ()
        return tuple(kind(word) for word in dict.fromkeys(found))

    def seconds(self, name: str, low: float, high: float) -> float | None:
        """A duration: seconds as a number, or with a unit (`500ms`, `90s`, `10m`, `24h`, `7d`)."""
        value = self._given(name)
        if value is None:
            return None
        found = _seconds(value)
        if found is not None and low <= found <= high:
            return found
        bounds = f"{low:.12g} to {high:.12g} seconds"
        self._fault(name, f"{name} can't be {_shown(value)}; allowed is {bounds}", bounds)
        return None

    def whole(self, name: str, low: int, high: int) -> int | None:
        """A whole number."""
        value = self._given(name)
        if value is None:
            return None
        text = str(value)
        if not isinstance(value, bool) and re.fullmatch(r"-?[0-9]{1,18}", text) and low <= int(text) <= high:
            return int(text)
        bounds = f"{low} to {high}"
        self._fault(name, f"{name} can't be {_shown(value)}; allowed is {bounds}", bounds)
        return None

    def text(self, name: str, longest: int) -> str | None:
        """Free text, not blank, at most `longest` characters."""
        value = self._given(name)
        if value is None:
            return None
        if isinstance(value, str) and len(value) <= longest and "\0" not in value:
            return value
        bounds = f"text of at most {longest} characters"
        self._fault(name, f"{name} can't be {_shown(value)}; allowed is {bounds}", bounds)
        return None

    def given(self, name: str, longest: int) -> str | None:
        """As `text`, but a blank is a fault: it would mean everything where one thing was meant."""
        if name in self._values and self._given(name) is None:
            self._fault(name, f"{name} is blank; give its id, or leave it out", None)
        return self.text(name, longest)

    def flag(self, name: str) -> bool:
        """A switch: `?download` and `?download=1` are on, `?download=0` and its absence off."""
        if name not in self._values:
            return False
        value = str(self._values[name]).lower()
        if value in _YES | _NO:
            return value in _YES
        self._fault(name, f"{name} can't be {_shown(value)}; allowed is 0, 1", ("0", "1"))
        return False

    def refuse(self, name: str, detail: str, allowed: tuple[str, ...] | str | None = None) -> None:
        """Add a fault that only the caller can know."""
        self._fault(name, detail, allowed)

    def done(self) -> None:
        """Raises InvalidParameter when something was wrong."""
        if self._faults:
            raise refusal(self._faults)

    def _given(self, name: str) -> object | None:
        """A value, None when it is absent: forms send blanks for what was not filled in."""
        value = self._values.get(name)
        if isinstance(value, str) and not value.strip():
            return None
        return value

    def _fault(self, name: str, detail: str, allowed: tuple[str, ...] | str | None) -> None:
        self._faults.append(Fault(detail=detail, pointer=pointer(name), allowed=allowed))


def pointer(*steps: str) -> str:
    """A JSON pointer (RFC 6901) to a member; what a caller made up is cut short."""
    return "".join("/" + step[:64].replace("~", "~0").replace("/", "~1") for step in steps)


def refusal(faults: list[Fault]) -> InvalidParameter:
    """The error that lists these faults, at most twenty of them."""
    first, more = faults[0].detail, len(faults) - 1
    detail = first if not more else f"{first} (and {more} more fault{'s' * (more > 1)})"
    return InvalidParameter(detail, errors=tuple(faults[:20]))


def _seconds(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else None
    found = _SECONDS.fullmatch(str(value).strip()[:40])
    return None if found is None else float(found[1]) * _UNITS[found[2]]


def _shown(value: object) -> str:
    """A given value as an error repeats it: quoted, printable and short."""
    text = str(value)
    text = text if len(text) <= 40 else f"{text[:39]}…"
    return "'" + "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text) + "'"
