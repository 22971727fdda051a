"""Names that are remembered for a while."""

from __future__ import annotations

from collections import OrderedDict

_REMEMBERED = 4096


class Memory:
    """The last few thousand names that it was told."""

    def __init__(self) -> None:
        self._names: OrderedDict[str, None] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Memory of {len(self._names)} names>"

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def add(self, name: str) -> None:
        """Remember it; the one that was told longest ago may be forgotten for it."""
        self._names[name] = None
        self._names.move_to_end(name)
        if len(self._names) > _REMEMBERED:
            self._names.popitem(last=False)

    def forget(self, name: str) -> None:
        """Don't, if it is."""
        self._names.pop(name, None)
