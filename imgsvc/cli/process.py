"""`imgsvc process`: the service's pipelines on local files, without a service."""

from __future__ import annotations

import click

_MORE = """
Without a format in the pipeline, the output's name decides, then the source's own format.
Exit status: 0 done, 1 some images failed (the others are done), 2 misused.

\b
Examples:
  imgsvc process photo.jpg -p resize:800x/webp:82 -o photo.webp
  imgsvc process *.jpg -p thumbnail:256x256 -p jpeg:85 -o thumbs/
  imgsvc process - -p grayscale -o - < photo.png > gray.png
"""


@click.command("process", epilog=_MORE)
@click.argument("inputs", nargs=-1, required=True, metavar="IN…")
@click.option(
    "-p", "--pipeline", "parts", multiple=True, help="Operations, as in the API; may be given in parts."
)
@click.option("-o", "--output", required=True, help="A file, a folder, or - for standard output.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@click.option("--timings", is_flag=True, help="Tell how long each step took.")
@click.option("--json", "as_json", is_flag=True, help="Tell what was done as JSON on standard output.")
@click.option("-q", "--quiet", is_flag=True, help="Tell nothing but faults.")
def command(
    *,
    inputs: tuple[str, ...],
    parts: tuple[str, ...],
    output: str,
    force: bool,
    timings: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run a pipeline on images; - reads standard input."""
    from imgsvc.cli import _process as work

    if as_json and output == "-":
        raise click.UsageError("--json and -o - both want standard output")
    target = work.Target.of(output, inputs, force=force)
    pipeline = work.pipeline_of(parts, target)
    runs = []
    for name in inputs:
        run = work.process(name, pipeline, target)
        runs.append(run)
        if run.fault is not None:
            click.echo(f"imgsvc: {run.name}: {run.fault}", err=True)
        elif not (quiet or as_json):
            click.echo(run.line(), err=True)
            for warning in run.warnings:
                click.echo(f"imgsvc: {run.name}: {warning}", err=True)
        if timings and not as_json:
            click.echo(run.table(), err=True, nl=False)
    if as_json:
        click.echo(work.document(runs))
    raise click.exceptions.Exit(1 if any(run.fault for run in runs) else 0)
