"""uvicorn's server in front of a service; what takes long to import is imported here."""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from imgsvc.api.protocol import door_protocol
from imgsvc.cli._listen import BACKLOG
from imgsvc.config import Settings
from imgsvc.pipeline import Presets
from imgsvc.service import Service
from imgsvc.wiring.app import app_of


class Server(uvicorn.Server):
    """uvicorn's server, which leaves signals to us and says when it accepts."""

    def __init__(
        self, service: Service, settings: Settings, presets: Presets, announce: Callable[[], None]
    ) -> None:
        super().__init__(_config(service, settings, presets))
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        self._announce()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Not uvicorn's way: it raises them again at the end, which turns a clean stop into status 143."""
        yield

    def leave(self, patience: float) -> None:
        """Close the listener and idle connections now, the others within `patience` seconds."""
        self.config.timeout_graceful_shutdown = math.ceil(patience)
        self.should_exit = True


def _config(service: Service, settings: Settings, presets: Presets) -> uvicorn.Config:
    app = app_of(service, settings, presets)
    return uvicorn.Config(
        app,
        http=door_protocol(settings.header_timeout, app.counted, app.unread),
        ws="none",
        interface="asgi3",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=math.ceil(settings.keep_alive),
    )
