"""What `imgsvc gc` does: one sweep of a stopped service's data directory, told in numbers."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import orjson

from imgsvc.config import Settings
from imgsvc.errors import ImgsvcError
from imgsvc.scheduler import Swept
from imgsvc.wiring import CannotOpen, DirectoryInUse
from imgsvc.wiring.cleaning import open_sweeper


class CannotCollect(Exception):
    """Nothing was removed, or not all of it; the text says why."""


def collect(settings: Settings, *, dry_run: bool) -> Swept:
    """Sweep once: what was removed, or would be. Raises CannotCollect."""
    try:
        return asyncio.run(_sweep(settings, rehearsal=dry_run))
    except DirectoryInUse as error:
        who = "a process" if error.pid is None else f"the process with pid {error.pid}"
        raise CannotCollect(
            f"{error.folder} is in use by {who}: a running service sweeps by itself; nothing was removed"
        ) from error
    except (CannotOpen, ImgsvcError) as error:
        raise CannotCollect(str(error)) from error


async def _sweep(settings: Settings, *, rehearsal: bool) -> Swept:
    async with open_sweeper(settings, rehearsal=rehearsal) as sweeper:
        return await sweeper.everything()


def document(swept: Swept, *, dry_run: bool) -> bytes:
    """As JSON."""
    return orjson.dumps({"dry_run": dry_run} | asdict(swept), option=orjson.OPT_INDENT_2)


def table(swept: Swept) -> str:
    """For people."""
    lines = [
        ("jobs that had expired", swept.expired),
        ("jobs over the cap on results", swept.crowded),
        ("images that nothing kept", swept.images),
        ("answers kept for repetitions", swept.receipts),
        ("files of all these", swept.blobs),
        ("files that no record named", swept.strays),
        ("uploads that came to nothing", swept.staged),
        ("bytes in all", swept.bytes),
    ]
    return "\n".join(f"  {what:<30} {count:>15,}" for what, count in lines)
