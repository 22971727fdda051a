"""What all tests share: settings that are the defaults, pictures, services and servers."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests import photos, servers

if TYPE_CHECKING:  # a test of one room must not need all the others
    from imgsvc.service import Service

# Some shells forbid Python to keep what it has compiled. Each of the hundreds of servers that tests start
# would compile all its modules anew: 1.9 s of CPU for a start and a stop that take 1.1.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as the service does."""
    return "asyncio"


@pytest.fixture(autouse=True, scope="session")
def _no_settings_of_the_developer() -> None:
    """Tests start from the defaults, whatever the shell they are started from says."""
    for name in list(os.environ):
        if name.startswith("IMGSVC_"):
            del os.environ[name]


@pytest.fixture(scope="session")
def photo() -> Callable[..., bytes]:
    """Makes a photo-like file: see `photos.photo`."""
    return photos.photo


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """A service that keeps everything in memory and works in this process: quick, for what is not lethal."""
    from imgsvc.config import load  # noqa: PLC0415  # as above
    from imgsvc.wiring import open_service  # noqa: PLC0415  # as above

    settings = load(
        data_dir=tmp_path / "data",
        storage=f"memory:{uuid4().hex}",
        jobs="memory:",
        dispatch="inline:",
        workers=2,
        disk_reserve=0,
        test_operations=True,
    )
    async with open_service(settings, isolated=False) as opened:
        yield opened


@pytest.fixture
async def real_service(tmp_path: Path) -> AsyncIterator[Service]:
    """A service on files, SQLite and two lanes with processes of their own."""
    from imgsvc.config import load  # noqa: PLC0415  # as above
    from imgsvc.wiring import open_service  # noqa: PLC0415  # as above

    settings = load(data_dir=tmp_path / "data", workers=2, disk_reserve=0, test_operations=True)
    async with open_service(settings) as opened:
        yield opened


@pytest.fixture
def server(tmp_path: Path) -> Iterator[servers.Server]:
    """A real server, two workers, on a data directory of its own."""
    with servers.serve(tmp_path / "data", {"IMGSVC_TEST_OPERATIONS": "1"}) as running:
        yield running
