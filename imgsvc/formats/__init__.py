"""One file, one format with its encoder's arguments; the folder is the registry."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from imgsvc import plugins
from imgsvc.formats._base import Format, Picture

__all__ = ["Format", "Picture", "registry"]


@cache
def registry() -> Mapping[str, type[Format]]:
    """Every format by its name."""
    return MappingProxyType(
        {name: plugins.member(__name__, name, Format) for name in plugins.names(__name__)}
    )
