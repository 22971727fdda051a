"""One file, one format with its encoder's arguments; the folder is the registry."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from imgsvc import plugins
from imgsvc.formats._base import Format, Picture

__all__ = ["Format", "Picture", "named", "registry"]


@cache
def registry() -> Mapping[str, type[Format]]:
    """Every format by its name."""
    return MappingProxyType(
        {name: plugins.member(__name__, name, Format) for name in plugins.names(__name__)}
    )


@cache
def named() -> Mapping[str, type[Format]]:
    """Every format by each name that is accepted for it: `jpeg` and `jpg`."""
    others = {other: kind for kind in registry().values() for other in kind.other_names}
    return MappingProxyType({**others, **registry()})
