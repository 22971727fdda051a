"""How commands read the settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from imgsvc.config import Settings, SettingsRefused, load


def settings_or_exit(**chosen: object) -> Settings:
    """The settings, those given on the command line first; leaves with status 2 and one line per fault."""
    with refusals():
        return load(**{name: value for name, value in chosen.items() if value is not None})


@contextmanager
def refusals() -> Iterator[None]:
    """Around what finds out that settings are not allowed: leaves with status 2 and one line per fault."""
    try:
        yield
    except SettingsRefused as error:
        for fault in error.faults:
            click.echo(f"imgsvc: {fault}", err=True)
        raise click.exceptions.Exit(2) from None
