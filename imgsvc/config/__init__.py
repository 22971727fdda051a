"""The environment and the file of presets, read once: refused by name with what was expected."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from imgsvc import plugins
from imgsvc.config.refused import SettingsRefused
from imgsvc.config.report import Entry, describe, entries, kind_of
from imgsvc.config.settings import PREFIX, Settings

__all__ = ["Entry", "Settings", "SettingsRefused", "describe", "entries", "load"]

#: What Kubernetes puts into every pod beside a Service that is named `imgsvc`.
_SERVICE_LINK = re.compile(rf"{PREFIX}(SERVICE_(HOST|PORT.*)|PORT_\d+_(TCP|UDP).*)")


def load(**chosen: object) -> Settings:
    """Read the settings from the environment; `chosen` ones (from the command line) go before it.

    Raises SettingsRefused, naming every fault at once.
    """
    faults = list(_unknown(os.environ))
    try:
        settings = Settings(**chosen)  # type: ignore[arg-type]  # checked by the kinds
    except ValidationError as error:
        faults += [_fault(e, chosen) for e in error.errors() if e["type"] != "default_factory_not_called"]
    else:
        faults += [*_formats(settings), *_fences(settings)]
    if faults:
        raise SettingsRefused(faults)
    return settings


def _formats(settings: Settings) -> Iterator[str]:
    """The formats that are taken must be there; looking them up costs an import, so only if they were set."""
    if "input_formats" in settings.model_fields_set:
        there = plugins.load("imgsvc", "formats").registry()
        for name in settings.input_formats:
            if name not in there:
                yield f"{PREFIX}INPUT_FORMATS: there is no format {name!r}, only {', '.join(there)}"


def _fences(settings: Settings) -> Iterator[str]:
    """Who asks for signatures and has nothing to check them with would believe a door shut that is open."""
    if settings.signed_results and settings.signing_keys is None:
        told = "there are no keys to check signatures with"
        yield f"{PREFIX}SIGNED_RESULTS=1: {told}; set {PREFIX}SIGNING_KEYS"


def _unknown(environment: Mapping[str, str]) -> Iterator[str]:
    """A typing error in a name would otherwise be a setting that silently is not made."""
    for name in sorted(environment):
        bare = name.upper().removeprefix(PREFIX).lower()
        if not name.upper().startswith(PREFIX) or bare in Settings.model_fields:
            continue
        near = [PREFIX + known.upper() for known in difflib.get_close_matches(bare, Settings.model_fields)]
        hint = f"; did you mean {' or '.join(near)}?" if near else "; `imgsvc config show` lists them"
        if _SERVICE_LINK.fullmatch(name):
            hint = "; it comes from Kubernetes: set enableServiceLinks: false in the pod"
        yield f"{name}: there is no such setting{hint}"


def _fault(error: ErrorDetails, chosen: Mapping[str, Any]) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    known = name in Settings.model_fields
    label = f"--{name.replace('_', '-')}" if name in chosen else PREFIX + name.upper()
    if not known:
        return f"{label}: there is no such setting"
    message = str(error["msg"]).removeprefix("Value error, ")
    if name == "port" and str(error["input"]).startswith("tcp://"):
        message += "; this one comes from Kubernetes: set enableServiceLinks: false in the pod"
    if kind_of(name).secret:
        return f"{label}: {message}"
    return f"{label}={str(error['input'])!r}: {message}"
