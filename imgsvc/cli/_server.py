"""Runs the service in uvicorn's server, from the bound socket to a clean exit."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from importlib import import_module
from typing import Any, TypeVar

import click
import uvloop

from imgsvc import __version__, logs, wiring
from imgsvc.cli._files import allow_many
from imgsvc.cli._listen import CannotListen, listen, url_of
from imgsvc.config import Settings
from imgsvc.config.presets import served
from imgsvc.pipeline import Presets
from imgsvc.raster import memory
from imgsvc.service import Service

_log = logging.getLogger("imgsvc.serve")

#: Seconds that answers under way get, at least, when the work has ended.
_LAST_ANSWERS = 5.0
#: Freed memory that this process keeps for the next uploads: giving each chunk back to the kernel and
#: fetching it again was a seventh of the CPU time of a call with 4 MB.
_KEPT = 64 * 1024 * 1024

T = TypeVar("T")


def serve(settings: Settings) -> int:
    """Serve until told to stop; the exit status: 0 after a stop, 1 when the service could not start.

    Raises SettingsRefused before anything is touched.
    """
    presets = served(settings)
    logs.configure(settings.log_format, settings.log_level)
    memory.keep_freed(_KEPT)
    allow_many()
    try:
        # The port is taken first: who can't have it should not have touched the data directory.
        with (
            listen(settings.host, settings.port) as opened,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(_run(settings, presets, opened))
    except (CannotListen, wiring.CannotOpen) as error:
        click.echo(f"imgsvc: {error}", err=True)
        return 1
    return 0


async def _run(settings: Settings, presets: Presets, opened: socket.socket) -> None:
    stop = _Stop()
    async with AsyncExitStack() as stack:
        # While the workers start in processes of their own, this one imports what speaks HTTP.
        http = asyncio.ensure_future(asyncio.to_thread(import_module, "imgsvc.cli._http"))
        service = await stop.unless(stack.enter_async_context(wiring.open_service(settings)))
        if service is None:
            return
        server = (await http).Server(service, settings, presets, lambda: _announce(settings, opened))
        serving = asyncio.create_task(server.serve(sockets=[opened]))
        await _first(serving, stop.asked)
        if not serving.done():
            server.leave(await _drain(service, settings.shutdown_grace, stop))
        await serving
    _log.info("stopped")


def _announce(settings: Settings, opened: socket.socket) -> None:
    _log.info("listening", extra={"url": url_of(opened), "version": __version__, "workers": settings.workers})
    workers = f"{settings.workers} worker" + ("s" if settings.workers > 1 else "")
    click.echo(f"imgsvc {__version__} listening on {url_of(opened)} ({workers}, data in {settings.data_dir})")


async def _drain(service: Service, grace: float, stop: _Stop) -> float:
    """Let what runs end, answering meanwhile; the seconds that are left for the last answers."""
    began = time.monotonic()
    _log.info("draining", extra={"grace_s": grace})
    ending = asyncio.create_task(service.stop(grace))
    await _first(ending, stop.insisted)
    if ending.done():
        await ending
        return max(_LAST_ANSWERS, grace - (time.monotonic() - began))
    _log.warning("told again to stop: what runs goes back to the queue")
    ending.cancel()
    await asyncio.wait({ending})
    await service.stop(0)
    return 0


async def _first(*either: asyncio.Future[Any]) -> None:
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)


class _Stop:
    """Hears SIGTERM and SIGINT: the first asks for a clean stop, the second insists on a quick one."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.asked: asyncio.Future[None] = loop.create_future()
        self.insisted: asyncio.Future[None] = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._heard)

    def _heard(self) -> None:
        for wish in (self.asked, self.insisted):
            if not wish.done():
                wish.set_result(None)
                return

    async def unless(self, work: Coroutine[Any, Any, T]) -> T | None:
        """What `work` comes to; None, and it is canceled, when a stop is asked for before."""
        task = asyncio.create_task(work)
        await _first(task, self.asked)
        if task.done():
            return await task
        task.cancel()
        await asyncio.wait({task})
        return None
