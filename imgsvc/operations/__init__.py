"""One file, one operation; the folder is the registry."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from imgsvc import plugins
from imgsvc.operations._base import Context, Kept, Operation

__all__ = ["Context", "Kept", "Operation", "registry"]


@cache
def registry(*, testing: bool = False) -> Mapping[str, type[Operation]]:
    """Every operation by its name; those made for tests only where asked for."""
    found = (
        (name.replace("_", "-"), plugins.member(__name__, name, Operation))
        for name in plugins.names(__name__)
    )
    return MappingProxyType({name: cls for name, cls in found if testing or not cls.testing})
