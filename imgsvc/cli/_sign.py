"""What `imgsvc sign` does: from an image and a pipeline, or a job and a result, to a link."""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Mapping

import click

from imgsvc.cli._settings import refusals
from imgsvc.config import Settings
from imgsvc.config.kinds import Seconds, WebAddress
from imgsvc.config.presets import presets
from imgsvc.errors import InvalidOperation
from imgsvc.jobs import OUTPUT_NAME, OUTPUT_NAME_RULE
from imgsvc.pipeline import Grammar
from imgsvc.signing import link
from imgsvc.source_names import plain

RENDERS = b"/r/"
_IMAGE, _JOB = re.compile(r"img_[0-9a-f]{32}"), re.compile(r"job_[0-9a-f]{32}")
#: The longest that a link may be valid: what is meant for longer is meant for ever.
_LONGEST_S = 100 * 365 * 86400


def path_of(subject: str, rest: str | None, settings: Settings, *, archive: bool) -> bytes:
    """The path of the link, percent-decoded; a misuse is a click.UsageError."""
    if _JOB.fullmatch(subject):
        if archive and rest is not None:
            raise click.UsageError("--zip holds all results of a job: leave the name out")
        if rest is not None and not OUTPUT_NAME.fullmatch(rest):
            raise click.UsageError(f"no output is called {rest!r}: a name has {OUTPUT_NAME_RULE}")
        name = "results.zip" if archive else "result" if rest is None else f"results/{rest}"
        return os.fsencode(f"/v1/jobs/{subject}/{name}")
    if archive:
        raise click.UsageError("--zip is for the results of a job")
    if rest is None:
        raise click.UsageError("a render needs a pipeline, such as resize:800x/webp")
    return RENDERS + _source(subject) + b"/" + _pipeline(rest, settings).encode()


def signed(
    path: bytes, settings: Settings, *, options: Mapping[str, str], expires: str | None, kid: str | None
) -> str:
    """The link as it stands in a URL."""
    keyring = settings.signing_keys
    if keyring is None:
        raise click.UsageError("IMGSVC_SIGNING_KEYS is not set, so there is nothing to sign with")
    exp = None if expires is None else math.ceil(time.time() + _seconds(expires))
    try:
        parameters = keyring.sign(path, exp=exp, options=options, kid=kid)
    except KeyError:
        there = ", ".join(key.id for key in keyring.keys)
        raise click.UsageError(f"there is no key {kid!r}; there is {there}") from None
    return link(path, {**options, **parameters})


def base_of(given: str | None, settings: Settings) -> str:
    """What comes before the path: nothing where nobody says what the address is."""
    if given is None:
        return settings.public_url or ""
    kind = WebAddress()
    try:
        return kind.parse(given) or ""
    except ValueError:
        raise click.UsageError(f"--base={given!r}: expected {kind.expected}") from None


def _source(given: str) -> bytes:
    if _IMAGE.fullmatch(given):
        return given.encode()
    if given.startswith("@"):
        for step in os.fsencode(given[1:]).split(b"/"):
            if not plain(step):
                raise click.UsageError(
                    f"{given!r} is not served: a step of a file's path is not empty, does not begin with a "
                    "dot, and has no backslash"
                )
        return os.fsencode(given)
    raise click.UsageError(
        f"{given!r} is no image and no job; that is img_ or job_ and 32 hexadecimal digits, or @ and a path "
        "below IMGSVC_SOURCES_DIR"
    )


def _pipeline(given: str, settings: Settings) -> str:
    """The pipeline's text as it is signed: presets by their names, for they may change under their links."""
    with refusals():
        grammar = Grammar(testing=settings.test_operations, presets=presets(settings))
    try:
        return grammar.load(given).written
    except InvalidOperation as error:
        faults = [fault.detail for fault in error.problem.errors] or [str(error)]
        raise click.UsageError("\n".join(faults)) from None


def _seconds(given: str) -> float:
    kind = Seconds(1, _LONGEST_S)
    try:
        return kind.parse(given) or 0
    except ValueError:
        raise click.UsageError(f"--expires={given!r}: expected {kind.expected}") from None
