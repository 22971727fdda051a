"""One file, one format with its encoder's arguments; the folder is the registry."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from imgsvc import plugins
from imgsvc.formats._base import Ending, Format, Picture

__all__ = ["Ending", "Format", "Picture", "endings", "named", "registry"]


@cache
def endings() -> Mapping[str, type[Ending]]:
    """Everything that a pipeline may end with, by its name: the formats, and `auto`."""
    return MappingProxyType(
        {name: plugins.member(__name__, name, Ending) for name in plugins.names(__name__)}
    )


@cache
def registry() -> Mapping[str, type[Format]]:
    """Every format by its name: what can be decoded and encoded."""
    return MappingProxyType({name: kind for name, kind in endings().items() if issubclass(kind, Format)})


@cache
def named() -> Mapping[str, type[Ending]]:
    """Every ending by each name that is accepted for it: `jpeg` and `jpg`."""
    others = {other: kind for kind in endings().values() for other in kind.other_names}
    return MappingProxyType({**others, **endings()})
