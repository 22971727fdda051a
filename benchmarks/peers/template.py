"""How a server wants to be asked: a URL with places for what is wanted, parts of it in brackets optional."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

#: What a place may stand for. `radius` goes with `blur`, for servers that ask for both.
PLACES = ("file", "image", "width", "format", "quality", "blur", "radius", "sharpen")
_NEEDED = ("width", "format")
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_PLACE = re.compile(r"\{(\w*)\}")
_PARTS = re.compile(r"\[([^\[\]]*)\]")


class TemplateError(ValueError):
    """A template that can't be used; the text says why, and what would be allowed."""


@dataclass(frozen=True)
class Template:
    """The path of a request, such as `/w_{width},f_{format}[,q_{quality}]/{file}`.

    A part in brackets is left out where one of its places has no value.
    """

    text: str

    def __post_init__(self) -> None:
        if strays := set("[]{}") & set(_PLACE.sub("", _PARTS.sub(r"\1", self.text))):
            raise TemplateError(f"{self.text!r}: {''.join(sorted(strays))} without its counterpart")
        if unknown := sorted(self.places() - set(PLACES)):
            raise TemplateError(f"{self.text!r}: there is no {{{unknown[0]}}}; there are {_listed(PLACES)}")
        if not self.places() & {"file", "image"}:
            raise TemplateError(f"{self.text!r}: it needs {{file}} or {{image}}")
        for needed in _NEEDED:
            if needed not in self.places():
                raise TemplateError(f"{self.text!r}: it needs {{{needed}}}")

    def places(self) -> set[str]:
        """The names that stand in it."""
        return set(_PLACE.findall(self.text))

    def can(self, wanted: Iterable[str]) -> bool:
        """Is there a place for each of these?"""
        return set(wanted) <= self.places()

    def path(self, values: Mapping[str, str]) -> str:
        """The path with these values; raises TemplateError where one is missing that is not optional."""

        def optional(part: re.Match[str]) -> str:
            return part[1] if set(_PLACE.findall(part[1])) <= values.keys() else ""

        def value(place: re.Match[str]) -> str:
            if place[1] not in values:
                raise TemplateError(f"{self.text!r}: nothing is known for {place[0]}")
            return values[place[1]]

        return _PLACE.sub(value, _PARTS.sub(optional, self.text))


@dataclass(frozen=True)
class Address:
    """A server that is running already: its name, the port on this machine, how it wants to be asked."""

    name: str
    port: int
    template: Template

    @classmethod
    def parse(cls, text: str) -> Address:
        """`NAME=http://127.0.0.1:PORT/PATH`; raises TemplateError for anything else."""
        name, _, url = text.partition("=")
        scheme, rest = url.partition("://")[::2]
        authority, slash, path = rest.partition("/")
        if not name or scheme != "http" or not slash:
            raise TemplateError(f"{text!r} is not NAME=http://127.0.0.1:PORT/PATH")
        try:
            port = urlsplit(f"//{authority}").port
        except ValueError:
            raise TemplateError(f"{authority!r} is not HOST:PORT") from None
        if authority.rpartition(":")[0] not in _LOOPBACK or port is None:
            raise TemplateError(
                f"{authority!r} is not a port of this machine: {_listed(_LOOPBACK)}, with :PORT"
            )
        return cls(name, port, Template(slash + path))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(_quoted(names))


def _quoted(names: Iterable[str]) -> Iterator[str]:
    return (f"{{{name}}}" if name in PLACES else name for name in names)
