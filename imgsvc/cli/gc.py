"""`imgsvc gc`: the sweep, for a service that is stopped."""

from __future__ import annotations

import click


@click.command("gc")
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and remove nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.option("--data-dir", help="Where images, results and the database are kept [IMGSVC_DATA_DIR].")
def command(*, dry_run: bool, as_json: bool, data_dir: str | None) -> None:
    """Remove what has expired, is over the cap on results or belongs to nobody.

    A running service does so by itself; this is for the data directory of one that is stopped. Exit 0 when
    all of it was removed, 1 when a service is running or something could not be removed, 2 for settings
    that are not allowed.
    """
    from imgsvc.cli._settings import refusals, settings_or_exit

    settings = settings_or_exit(data_dir=data_dir)

    from imgsvc.cli._gc import CannotCollect, collect, document, table

    try:
        with refusals():
            swept = collect(settings, dry_run=dry_run)
    except CannotCollect as error:
        click.echo(f"imgsvc: {error}", err=True)
        raise click.exceptions.Exit(1) from None
    if as_json:
        click.echo(document(swept, dry_run=dry_run))
    else:
        click.echo(f"{'would be removed' if dry_run else 'removed'} from {settings.data_dir}:")
        click.echo(table(swept))
    if swept.failed:
        click.echo(f"imgsvc: {swept.failed} files could not be removed", err=True)
        raise click.exceptions.Exit(1)
