"""`imgsvc info`: what the service tells of an image, of local files."""

from __future__ import annotations

import click

_MORE = """
One JSON object for each file, as GET /v1/images/{id}/info answers it.
Exit status: 0 done, 1 some files are no images, 2 misused.

\b
Examples:
  imgsvc info photo.jpg
  imgsvc info *.jpg | jq -r '[.file, .dominant_color, .phash] | @tsv'
"""


@click.command("info", epilog=_MORE)
@click.argument("inputs", nargs=-1, required=True, metavar="IN…")
@click.option("--gps", is_flag=True, help="Tell where the photograph was taken, if the file says so.")
def command(*, inputs: tuple[str, ...], gps: bool) -> None:
    """Tell what images are, say of themselves and look like; - reads standard input."""
    from imgsvc.cli import _info as work

    failed = False
    for name in inputs:
        found = work.look(name, gps=gps)
        failed = failed or found.fault is not None
        if found.fault is not None:
            click.echo(f"imgsvc: {found.name}: {found.fault}", err=True)
        else:
            click.echo(found.json())
    raise click.exceptions.Exit(1 if failed else 0)
