"""`imgsvc sign`: links that a service with `IMGSVC_SIGNING_KEYS` answers."""

from __future__ import annotations

import click

_MORE = """
Prints the path of the link, or its URL with --base (or IMGSVC_PUBLIC_URL). It asks no service: the keys of
IMGSVC_SIGNING_KEYS are all that is needed. Exit status: 0 done, 2 misused.

\b
Examples:
  imgsvc sign img_5d41402abc4b2a76b9719d911017c592 resize:800x/webp
  imgsvc sign @holidays/beach.jpg resize:800x/auto --expires 1h --base https://images.example.org
  imgsvc sign job_01a2113e393270db9eebb24f00318275 --expires 7d
  imgsvc sign job_01a2113e393270db9eebb24f00318275 thumb
"""


@click.command("sign", epilog=_MORE)
@click.argument("subject", metavar="IMAGE|JOB")
@click.argument("ops", required=False, metavar="[OPS|NAME]")
@click.option("--expires", metavar="TIME", help="How long the link is valid: 30m, 24h, 7d [for ever].")
@click.option("--base", metavar="URL", help="What comes before the path [IMGSVC_PUBLIC_URL].")
@click.option("--kid", metavar="ID", help="The key that signs [the first one].")
@click.option("--fallback", metavar="VALUE", help="The `fallback` of the link, which is signed too.")
@click.option("--zip", "archive", is_flag=True, help="All results of a job as an archive.")
def command(
    *,
    subject: str,
    ops: str | None,
    expires: str | None,
    base: str | None,
    kid: str | None,
    fallback: str | None,
    archive: bool,
) -> None:
    """Sign a link to a render of an IMAGE (an id, or @ and a path below IMGSVC_SOURCES_DIR) with the
    pipeline OPS, or to a result of a JOB: its only one, the one called NAME, or all of them.
    """
    from imgsvc.cli import _sign as work
    from imgsvc.cli._settings import settings_or_exit

    settings = settings_or_exit()
    options = {} if fallback is None else {"fallback": fallback}
    path = work.path_of(subject, ops, settings, archive=archive)
    if options and not path.startswith(work.RENDERS):
        raise click.UsageError("--fallback is for renders")
    signed = work.signed(path, settings, options=options, expires=expires, kid=kid)
    click.echo(work.base_of(base, settings) + signed)
