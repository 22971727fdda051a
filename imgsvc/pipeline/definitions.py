"""Presets out of what was written down for each: every one is read, and may use the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from imgsvc.errors import Fault, InvalidOperation
from imgsvc.pipeline.faults import shown
from imgsvc.pipeline.grammar import Grammar
from imgsvc.pipeline.pipeline import Pipeline
from imgsvc.pipeline.presets import NAME, NAME_RULE, Preset, Presets, version_of


@dataclass(frozen=True, slots=True)
class Definition:
    """What is written down for a preset."""

    #: The pipeline, in either form of the grammar.
    ops: object
    description: str | None = None


class PresetsRefused(Exception):
    """Definitions that make no presets."""

    def __init__(self, faults: Mapping[str, tuple[Fault, ...]]) -> None:
        #: What is wrong, by the name of the preset.
        self.faults = faults
        super().__init__(
            "; ".join(f"{name}: {fault.detail}" for name, found in faults.items() for fault in found)
        )


def define(definitions: Mapping[str, Definition], *, version: int, testing: bool = False) -> Presets:
    """The presets, in the order of their definitions, each written out in full.

    `version` is that of the code that makes pictures: it is part of every hash. Raises PresetsRefused with
    every fault of every definition.
    """
    desk = _Desk(definitions, version=version, testing=testing)
    for name in definitions:
        desk.settle(name)
    if desk.refused:
        raise PresetsRefused({name: desk.refused[name] for name in definitions if name in desk.refused})
    return MappingProxyType({name: desk.made[name] for name in definitions})


class _Needed(Exception):
    """A definition uses a preset that is not made yet."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class _Desk(Mapping[str, Preset]):
    """Presets while they are made: whoever asks for one that is not made yet is told to wait."""

    def __init__(self, definitions: Mapping[str, Definition], *, version: int, testing: bool) -> None:
        self.made: dict[str, Preset] = {}
        self.refused: dict[str, tuple[Fault, ...]] = {}
        self._definitions = definitions
        self._version = version
        self._grammar = Grammar(testing=testing, presets=self)

    def __getitem__(self, name: str) -> Preset:
        if name in self._definitions and name not in self.made:
            raise _Needed(name)
        return self.made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._definitions

    def __iter__(self) -> Iterator[str]:
        return iter(self._definitions)

    def __len__(self) -> int:
        return len(self._definitions)

    def settle(self, name: str) -> None:
        """Make the preset, and before it those that it uses; or note why it can't be.

        With a list of our own of what waits for what, so that no chain is too long.
        """
        waiting = [name]
        while waiting:
            name = waiting[-1]
            if name in self.made or name in self.refused:
                waiting.pop()
                continue
            try:
                self.made[name] = self._make(name)
            except InvalidOperation as error:
                self.refused[name] = error.problem.errors
            except _Needed as needed:
                if needed.name in self.refused:
                    self._refuse(name, f"it uses preset {shown(needed.name)}, which is refused itself")
                elif needed.name in waiting:
                    around = [*waiting[waiting.index(needed.name) :], needed.name]
                    self._refuse(name, f"it would be a part of itself: {' → '.join(around)}")
                else:
                    waiting.append(needed.name)

    def _make(self, name: str) -> Preset:
        if not NAME.fullmatch(name):
            detail = f"a preset can't be called {shown(name)}"
            raise InvalidOperation(detail, errors=(Fault(detail=detail, allowed=NAME_RULE),))
        definition = self._definitions[name]
        read = self._grammar.load(definition.ops)
        pipeline = Pipeline(read.operations, read.format)
        return Preset(name, pipeline, version_of(pipeline, self._version), definition.description)

    def _refuse(self, name: str, detail: str) -> None:
        self.refused[name] = (Fault(detail=detail),)
