"""`imgsvc config show`: every setting and its source; `imgsvc config presets`: what a start would read."""

from __future__ import annotations

import click


@click.group("config")
def command() -> None:
    """What the service is set to."""


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def show(*, as_json: bool) -> None:
    """Every setting, its value and where that comes from."""
    from imgsvc.cli._settings import settings_or_exit
    from imgsvc.config import entries

    rows = list(entries(settings_or_exit()))
    if as_json:
        import orjson

        document = {row.variable: {"value": row.plain, "source": row.source} for row in rows}
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
        return
    names = max(len(row.variable) for row in rows)
    values = max(len(row.value) for row in rows)
    for row in rows:
        click.echo(f"{row.variable:<{names}}  {row.value:<{values}}  {row.source}")


@command.command("presets")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def list_presets(*, as_json: bool) -> None:
    """Check the file of presets as a start would, and list what it defines: name@hash and pipeline."""
    from imgsvc.cli._settings import refusals, settings_or_exit
    from imgsvc.config.presets import served

    settings = settings_or_exit()
    with refusals():
        found = served(settings).values()
    if as_json:
        import orjson

        document = {
            preset.name: {
                "hash": preset.hash,
                "spec": preset.pipeline.text,
                "description": preset.description,
            }
            for preset in found
        }
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
        return
    names = max((len(preset.pinned) for preset in found), default=0)
    for preset in found:
        click.echo(f"{preset.pinned:<{names}}  {preset.pipeline.text}")
