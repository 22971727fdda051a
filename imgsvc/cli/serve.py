"""`imgsvc serve`: the service itself."""

from __future__ import annotations

import signal
import sys

import click


@click.command("serve")
@click.option("--host", help="The address to listen on [IMGSVC_HOST].")
@click.option("--port", help="The port to listen on; 0 takes a free one [IMGSVC_PORT].")
@click.option("--workers", help="Worker processes, one task each [IMGSVC_WORKERS].")
@click.option("--data-dir", help="Where images, results and the database are kept [IMGSVC_DATA_DIR].")
def command(host: str | None, port: str | None, workers: str | None, data_dir: str | None) -> None:
    """Run the service until SIGTERM or Ctrl-C; running work is finished first."""
    # Until the event loop listens. As a container's first process we would be deaf without a handler.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))

    from imgsvc.cli._settings import refusals, settings_or_exit

    settings = settings_or_exit(host=host, port=port, workers=workers, data_dir=data_dir)

    from imgsvc.cli._server import serve

    with refusals():
        code = serve(settings)
    raise click.exceptions.Exit(code)
