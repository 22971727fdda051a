"""The API on parts that live in memory, and pictures to send it."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx2
from PIL import Image

from imgsvc import wiring
from imgsvc.api import Api, ApiOptions, create_app
from imgsvc.config import Settings, load
from imgsvc.metrics import Metrics
from imgsvc.service import Service


def picture(size: tuple[int, int] = (64, 48), kind: str = "JPEG", colour: str = "teal") -> bytes:
    """A small picture as a file."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, kind)
    return file.getvalue()


def size_of(data: bytes) -> tuple[str | None, tuple[int, int]]:
    """What a file is, and how large."""
    with Image.open(io.BytesIO(data)) as found:
        return found.format, found.size


def settings(folder: Path, **chosen: object) -> Settings:
    """Everything in memory and in this process."""
    usual = {"data_dir": folder, "jobs": "memory:", "dispatch": "inline:", "workers": 1, "disk_reserve": 0}
    return load(**(usual | chosen))


def opener(
    chosen: Settings, metrics: Metrics | None = None
) -> Callable[[], AbstractAsyncContextManager[Service]]:
    """How the application opens its service."""
    observers = [metrics] if metrics is not None else []
    return lambda: wiring.open_service(chosen, observers=observers, isolated=False)


def api(folder: Path, options: ApiOptions | None = None, **chosen: object) -> Api:
    """The application."""
    metrics = Metrics()
    return create_app(opener(settings(folder, **chosen), metrics), options, metrics=metrics)


@asynccontextmanager
async def running(app: Api) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of an application whose lifespan has begun."""
    async with app.fastapi.router.lifespan_context(app.fastapi):
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://door") as client:
            yield client


def problem(answer: httpx2.Response) -> tuple[int, str]:
    """The status and code of an answer that must be a problem."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    shown = answer.json()
    assert shown["status"] == answer.status_code
    assert shown["type"] == f"/problems/{shown['code']}"
    assert shown["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, shown["code"]
