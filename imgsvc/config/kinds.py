"""Kinds of settings: how each is read, shown and described, in one place per kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

#: What stands in HTML and in a `srcset` as it is: RFC 3986 without what ends a path, and without '.
_LINKABLE = re.compile(r"(?:[A-Za-z0-9._~:/@!$&()*+,;=\[\]-]|%[0-9A-Fa-f]{2})+")
_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+) ?([a-zA-Z]*)")


@dataclass(frozen=True, slots=True)
class About:
    """What a setting is for, and why its default is what it is."""

    text: str
    why: str


class Kind:
    """One way to read a setting; a subclass stands in the setting's annotation."""

    #: May what was given be shown to nobody?
    secret: ClassVar[bool] = False

    @property
    def expected(self) -> str:
        """What may be given, as it reads after "expected"."""
        raise NotImplementedError

    def parse(self, given: object) -> Any:  # noqa: ANN401  # the annotation it stands in gives the type
        """The setting's value; raises ValueError for what is not allowed."""
        raise NotImplementedError

    def show(self, value: object) -> str:
        """The value as one would write it; `parse` reads it back."""
        return "none" if value is None else str(value)

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validate)

    def _validate(self, given: object) -> Any:  # noqa: ANN401  # as `parse`
        try:
            return self.parse(given)
        except ValueError:
            raise ValueError(f"expected {self.expected}") from None


@dataclass(frozen=True, slots=True)
class Number(Kind):
    """A number, plain or with a unit, within bounds; `none` where there may be no limit."""

    low: float = 0
    high: float | None = None
    none: bool = False

    units: ClassVar[Mapping[str, float]] = MappingProxyType({})
    noun: ClassVar[str] = "a number"
    whole: ClassVar[bool] = False
    #: Shown in halves of a unit too: 1.5GiB.
    halves: ClassVar[bool] = False

    @property
    def expected(self) -> str:
        """What may be given."""
        bounds = f"at least {self._plain(self.low)}"
        if self.high is not None:
            bounds = f"from {self._plain(self.low)} to {self._plain(self.high)}"
        return f"{self.noun}, {bounds}" + (", or none" if self.none else "")

    def parse(self, given: object) -> float | None:
        """The number in the base unit."""
        text = str(given).strip()
        if given is None or text.lower() == "none":
            if self.none:
                return None
            raise ValueError(text)
        match = _NUMBER.fullmatch(text.replace("_", ""))
        if match is None:
            raise ValueError(text)
        units = {name.lower(): factor for name, factor in self.units.items()}
        unit = match[2].lower()
        if unit and unit not in units:
            raise ValueError(text)
        value = round(float(match[1]) * units.get(unit, 1), 9)
        if value < self.low or (self.high is not None and value > self.high):
            raise ValueError(text)
        if not self.whole:
            return value
        if not value.is_integer():
            raise ValueError(text)
        return int(value)

    def show(self, value: object) -> str:
        """With the largest unit that it fills exactly."""
        return self._plain(value) if isinstance(value, int | float) else "none"

    def _plain(self, value: float) -> str:
        for unit, factor in sorted(self.units.items(), key=lambda item: -item[1]):
            if factor == 1 and self.whole:
                break
            count = value / factor
            if count >= 1 and (count * (2 if self.halves else 1)).is_integer():
                return _decimal(count) + unit
        return _decimal(value)


def _decimal(value: float) -> str:
    """Never with an exponent, and without zeros at the end."""
    return f"{value:.9f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class Whole(Number):
    """A whole number."""

    noun: ClassVar[str] = "a whole number"
    whole: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Bytes(Number):
    """A number of bytes. `64M` is refused: it means two things."""

    units: ClassVar[Mapping[str, float]] = MappingProxyType(
        {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
        | {"kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
    )
    noun: ClassVar[str] = "bytes, as a plain number or with a unit (64MiB, 20GB)"
    whole: ClassVar[bool] = True
    halves: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Pixels(Number):
    """A number of pixels."""

    units: ClassVar[Mapping[str, float]] = MappingProxyType({"MP": 10**6, "kP": 10**3})
    noun: ClassVar[str] = "pixels, as a plain number or in megapixels (50MP)"
    whole: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Seconds(Number):
    """A duration in seconds."""

    units: ClassVar[Mapping[str, float]] = MappingProxyType(
        {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
    )
    noun: ClassVar[str] = "seconds, as a plain number or with a unit (500ms, 30s, 10m, 24h, 7d)"


@dataclass(frozen=True, slots=True)
class Choice(Kind):
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def expected(self) -> str:
        """What may be given."""
        return "one of " + ", ".join(self.words)

    def parse(self, given: object) -> str:
        """The word in lower case."""
        word = str(given).strip().lower()
        if word not in self.words:
            raise ValueError(word)
        return word


@dataclass(frozen=True, slots=True)
class Flag(Kind):
    """On or off."""

    @property
    def expected(self) -> str:
        """What may be given."""
        return "1 or 0 (true, false, yes, no, on and off work too)"

    def parse(self, given: object) -> bool:
        """True or False."""
        word = str(given).strip().lower()
        if word not in {"1", "true", "yes", "on", "0", "false", "no", "off"}:
            raise ValueError(word)
        return word in {"1", "true", "yes", "on"}

    def show(self, value: object) -> str:
        """1 or 0."""
        return "1" if value else "0"


@dataclass(frozen=True, slots=True)
class Names(Kind):
    """Words in a list, separated by commas."""

    #: Must there be at least one?
    some: bool = False

    @property
    def expected(self) -> str:
        """What may be given."""
        return "names separated by commas"

    def parse(self, given: object) -> tuple[str, ...]:
        """The words, each once, in the order given."""
        words = given.split(",") if isinstance(given, str) else given
        if not isinstance(words, list | tuple):
            raise ValueError(given)  # noqa: TRY004  # pydantic takes ValueError as "not valid"
        clean = tuple(dict.fromkeys(word for word in (str(word).strip() for word in words) if word))
        if clean == ("none",):
            clean = ()
        if self.some and not clean:
            raise ValueError(given)
        return clean

    def show(self, value: object) -> str:
        """Separated by commas."""
        return ",".join(value) if isinstance(value, tuple) and value else "none"


@dataclass(frozen=True, slots=True)
class Folder(Kind):
    """A folder on this machine."""

    @property
    def expected(self) -> str:
        """What may be given."""
        return "a folder"

    def parse(self, given: object) -> Path:
        """The absolute path; a relative one starts at the current folder."""
        if not str(given).strip() or "\0" in str(given):
            raise ValueError(given)
        return Path(str(given)).expanduser().absolute()


@dataclass(frozen=True, slots=True)
class Text(Kind):
    """Any text without blanks at its ends."""

    noun: str = "text"

    @property
    def expected(self) -> str:
        """What may be given."""
        return self.noun

    def parse(self, given: object) -> str:
        """The text as it is."""
        text = str(given).strip()
        if not text or not text.isprintable():
            raise ValueError(text)
        return text


@dataclass(frozen=True, slots=True)
class WebAddress(Kind):
    """The address under which browsers reach the service."""

    @property
    def expected(self) -> str:
        """What may be given."""
        return "an address such as https://images.example.org (percent-encoded; no user, query, #), or none"

    def parse(self, given: object) -> str | None:
        """The address without a slash at its end; it may stand in a link of a page as it is."""
        if given is None or str(given).strip().lower() == "none":
            return None
        text = str(given).strip().rstrip("/")
        parts = urlsplit(text)
        # `port` raises for what is none; and browsers show no picture whose link names a user.
        named = parts.hostname and parts.port != 0 and parts.username is None
        if parts.scheme not in {"http", "https"} or not named or not _LINKABLE.fullmatch(text):
            raise ValueError(text)
        return text


@dataclass(frozen=True, slots=True)
class Url(Kind):
    """A URL whose scheme names a module of a room."""

    example: str

    @property
    def expected(self) -> str:
        """What may be given."""
        return f"a URL such as {self.example}"

    def parse(self, given: object) -> str:
        """The URL as it is; the module that it names checks the rest."""
        text = str(given).strip()
        if not re.fullmatch(r"[a-z][a-z0-9_]*:[\x21-\x7e]*", text):
            raise ValueError(text)
        return text
