"""Every job store in the room, opened empty."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from imgsvc import jobstore, plugins
from imgsvc.jobstore import JobStore

#: A URL of an empty store for each module of the room.
URLS: dict[str, Callable[[Path], str]] = {
    "memory": lambda _: "memory:",
    "sqlite": lambda folder: f"sqlite://{folder}/jobs.sqlite3",
}


@pytest.fixture(params=plugins.names("imgsvc.jobstore"))
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[JobStore]:
    store = jobstore.connect(URLS[request.param](tmp_path))
    await store.open()
    yield store
    await store.close()
