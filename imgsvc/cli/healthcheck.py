"""`imgsvc healthcheck`: what a container asks itself."""

from __future__ import annotations

import click


@click.command("healthcheck")
@click.option("--url", help="What to ask [default: /readyz of the service on this machine].")
@click.option("--timeout", default=3.0, show_default=True, help="Seconds to wait for the answer.")
def command(url: str | None, timeout: float) -> None:
    """Ask the running service whether it is ready; exit 0 when it is, 1 when not."""
    from urllib.error import HTTPError, URLError
    from urllib.request import ProxyHandler, build_opener

    url = url or f"{_local_address()}/readyz"
    if not url.startswith(("http://", "https://")):
        raise click.UsageError(f"--url must be an http address, not {url}")
    try:
        # Asking oneself must not go through the proxy that the environment names.
        with build_opener(ProxyHandler({})).open(url, timeout=timeout) as answer:
            answer.read()
    except HTTPError as error:
        click.echo(f"not ready: {url} answers {error.code}", err=True)
        raise click.exceptions.Exit(1) from None
    except (URLError, OSError) as error:
        click.echo(f"not reachable: {url}: {getattr(error, 'reason', error)}", err=True)
        raise click.exceptions.Exit(1) from None


def _local_address() -> str:
    from imgsvc.cli._settings import settings_or_exit

    settings = settings_or_exit()
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # read, not bound
    host = everywhere.get(settings.host, settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
