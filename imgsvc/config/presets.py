"""The presets of `imgsvc.toml`, checked: what is wrong is refused by name, with what is allowed."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from imgsvc.config.refused import SettingsRefused
from imgsvc.config.settings import PREFIX, Settings
from imgsvc.errors import Fault
from imgsvc.imaging.version import RENDER_VERSION
from imgsvc.pipeline import Presets
from imgsvc.pipeline.allowed import phrase
from imgsvc.pipeline.definitions import Definition, PresetsRefused, define
from imgsvc.pipeline.presets import NONE

#: What the file may have, and what a preset that is a table may have.
_TABLES, _KEYS = ("presets",), ("ops", "description")


def presets(settings: Settings) -> Presets:
    """The presets of the file that the settings name; none where there is no file.

    Raises SettingsRefused, naming every fault at once.
    """
    return NONE if settings.config is None else _presets(settings.config, testing=settings.test_operations)


def served(settings: Settings) -> Presets:
    """The same for a service, which may be told to make nothing else. Raises SettingsRefused."""
    found = presets(settings)
    if settings.presets_only and not found:
        where = f"{settings.config} defines none" if settings.config else f"{PREFIX}CONFIG names no file"
        raise SettingsRefused([f"{PREFIX}PRESETS_ONLY=1: there are no presets, {where}"])
    return found


def _presets(file: Path, *, testing: bool) -> Presets:
    table = _read(file)
    faults = list(_unknown(str(file), table, _TABLES, "table"))
    written = table.get("presets", {})
    if not isinstance(written, dict):
        raise SettingsRefused([*faults, f"{file}: presets is a table, as in: [presets]"])
    definitions: dict[str, Definition] = {}
    for name, value in written.items():
        found = list(_faults(value))
        faults += [f"{_place(file, name)}: {fault}" for fault in found]
        if not found:
            definitions[name] = _definition(value)
    # What uses a preset that is refused for its shape would be told that there is none.
    if faults:
        raise SettingsRefused(faults)
    try:
        return define(definitions, version=RENDER_VERSION, testing=testing)
    except PresetsRefused as error:
        raise SettingsRefused(_told(file, error.faults)) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise SettingsRefused([f"{file}: not TOML: {error}"]) from None
    except UnicodeDecodeError:
        raise SettingsRefused([f"{file}: not TOML: it is no UTF-8"]) from None
    except OSError as error:
        raise SettingsRefused([f"{PREFIX}CONFIG={str(file)!r}: can't be read: {error.strerror}"]) from None


def _faults(value: object) -> Iterator[str]:
    """What is wrong with the shape of a preset."""
    if isinstance(value, str | list):
        return
    if not isinstance(value, dict):
        yield "expected a pipeline as text or a list, or a table with ops and description"
        return
    yield from _unknown("", value, _KEYS, "key")
    if not isinstance(value.get("ops"), str | list):
        yield (
            "ops is missing: expected a pipeline as text or a list"
            if "ops" not in value
            else ("ops: expected a pipeline as text or a list")
        )
    description = value.get("description", "-")
    if not isinstance(description, str) or not description.strip():
        yield "description: expected text"


def _definition(value: Any) -> Definition:  # noqa: ANN401  # its shape has been checked
    if isinstance(value, dict):
        return Definition(value["ops"], value.get("description"))
    return Definition(value)


def _unknown(place: str, table: Mapping[str, object], known: Iterable[str], noun: str) -> Iterator[str]:
    for name in table:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f", only {', '.join(known)}"
            yield f"{place}: there is no {noun} {name!r}{hint}".removeprefix(": ")


def _told(file: Path, faults: Mapping[str, Iterable[Fault]]) -> Iterator[str]:
    for name, found in faults.items():
        for fault in found:
            rule = phrase(fault.allowed)
            allowed = f"; allowed is {rule}" if rule and rule not in fault.detail else ""
            yield f"{_place(file, name)}: {fault.detail}{allowed}"


def _place(file: Path, name: str) -> str:
    return f"{file}: preset {name!r}"
