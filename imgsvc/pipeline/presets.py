"""Presets: pipelines that have a name, and the version that a use of one means."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from imgsvc.errors import Fault, InvalidOperation
from imgsvc.pipeline.faults import near, shown
from imgsvc.pipeline.pipeline import Pipeline
from imgsvc.pipeline.preset import Use
from imgsvc.pipeline.words import word

#: A preset's name is part of URLs, and of text in which `/ | , : = ~ @` have a meaning.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
NAME_RULE = "1 to 64 letters, digits, '_' and '-', not '_' or '-' first"
#: Hex digits of a version: 48 bits tell the versions of one name apart, nobody has to guess them.
_HASH_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Preset:
    """A pipeline with a name."""

    name: str
    #: Without presets: what those that it uses stood for is in it.
    pipeline: Pipeline
    #: Names this version: another one whenever the pictures that it makes may differ.
    hash: str
    description: str | None = None

    @property
    def pinned(self) -> str:
        """The name of this very version."""
        return f"{self.name}@{self.hash}"


#: Presets by name.
Presets = Mapping[str, Preset]
#: Where nobody has defined one.
NONE: Presets = MappingProxyType({})


class NoSuchPreset(ValueError):
    """A use of a preset, or of a version, that there is not."""

    def __init__(self, detail: str, allowed: tuple[str, ...]) -> None:
        super().__init__(detail)
        self.allowed = allowed


def version_of(pipeline: Pipeline, version: int) -> str:
    """The hash of a preset: of its text with every default, and of what the same text makes (`version`)."""
    meaning = f"{version}\n{pipeline.full_text}"
    return hashlib.sha256(meaning.encode()).hexdigest()[:_HASH_DIGITS]


def find(presets: Presets, use: Use) -> Preset:
    """The preset that is meant; raises NoSuchPreset with what there is."""
    name, version = use.preset, use.hash
    preset = presets.get(name)
    if not name:
        raise NoSuchPreset("preset needs the name of a preset", tuple(presets))
    if preset is None:
        there = tuple(presets)
        why = near(name, there) if there else "; none is defined"
        raise NoSuchPreset(f"there is no preset {shown(name)}{why}", there)
    if version is not None and version != preset.hash:
        detail = f"preset {shown(name)} has no version {shown(version)}; the current one is '{preset.pinned}'"
        raise NoSuchPreset(detail, (preset.pinned,))
    return preset


def check_alone(pipeline: Pipeline, presets: Presets) -> None:
    """Refuse what is not one preset and nothing else, with or without its version.

    Raises InvalidOperation with the presets that there are.
    """
    used = pipeline.presets
    if len(used) == 1 and presets[used[0]].pipeline == pipeline:
        return
    detail = "only a preset can be asked for here, alone"
    allowed = tuple(f"{word(Use).name}:{name}" for name in presets)
    raise InvalidOperation(detail, errors=(Fault(detail=detail, pointer="", offset=0, allowed=allowed),))
