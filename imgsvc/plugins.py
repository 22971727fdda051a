"""The folder is the registry: what lies in a room is listed without importing it."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")


@cache
def names(room: str) -> tuple[str, ...]:
    """The names of the modules in the package `room`, sorted; those with an underscore are private."""
    path = import_module(room).__path__
    return tuple(sorted(m.name for m in pkgutil.iter_modules(path) if not m.name.startswith("_")))


def load(room: str, name: str) -> ModuleType:
    """Import one module of a room.

    Raises LookupError, naming what there is, when the room has no such module.
    """
    if name not in names(room):
        raise LookupError(f"no {name!r} in {room}; there is {', '.join(names(room))}")
    return import_module(f"{room}.{name}")


def member(room: str, name: str, base: type[T]) -> type[T]:
    """The one subclass of `base` that the room's module `name` defines.

    Raises LookupError when there is none or more than one.
    """
    module = load(room, name)
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise LookupError(f"{module.__name__} must define one {base.__name__}, it defines {len(found)}")
    return found[0]
