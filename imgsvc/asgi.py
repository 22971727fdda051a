"""For servers other than ours: `uvicorn --factory imgsvc.asgi:app`."""

from __future__ import annotations

from imgsvc import config, logs
from imgsvc.api import Api
from imgsvc.wiring.app import open_app


def app() -> Api:
    """The application, set up from the environment; it opens the service when the server starts it."""
    settings = config.load()
    logs.configure(settings.log_format, settings.log_level)
    return open_app(settings)
