"""What the settings are: for `imgsvc config show` and for the docs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from imgsvc.config.kinds import About, Kind
from imgsvc.config.places import USUAL
from imgsvc.config.settings import GROUPS, PREFIX, Settings

#: Defaults that depend on the machine, as the docs and `config show` put them.
_DERIVED = {
    "workers": "the CPUs granted",
    "storage": "file: DATA_DIR",
    "jobs": "sqlite: DATA_DIR/imgsvc.sqlite3",
    "data_dir": "uploads",
    "config": f"{USUAL} in the current directory, where it is there",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting as it stands."""

    variable: str
    #: As one would write it.
    value: str
    #: As a plain value.
    plain: object
    #: `default`, `environment` or `command line`.
    source: str


@dataclass(frozen=True, slots=True)
class Description:
    """One setting as the docs describe it."""

    group: str
    variable: str
    default: str
    expected: str
    about: About


def entries(settings: Settings, *, chosen: frozenset[str] = frozenset()) -> Iterator[Entry]:
    """Every setting with its value and where that comes from; `chosen` were given on the command line."""
    for group in GROUPS:
        for name in group.__annotations__:
            value = getattr(settings, name)
            if name in chosen:
                source = "command line"
            else:
                source = "environment" if name in settings.model_fields_set else "default"
            kind = kind_of(name)
            shown = kind.show(value)
            plain = value if isinstance(value, int | float | tuple | None) else str(value)
            yield Entry(PREFIX + name.upper(), shown, shown if kind.secret and value else plain, source)


def describe() -> Iterator[Description]:
    """Every setting with its default, what may be given, and why the default is what it is."""
    for group in GROUPS:
        for name in group.__annotations__:
            field = Settings.model_fields[name]
            kind = kind_of(name)
            default = _DERIVED.get(name) or kind.show(field.default)
            about = next(item for item in field.metadata if isinstance(item, About))
            yield Description(str(group.__doc__), PREFIX + name.upper(), default, kind.expected, about)


def kind_of(name: str) -> Kind:
    """How a setting is read and shown."""
    return next(item for item in Settings.model_fields[name].metadata if isinstance(item, Kind))
