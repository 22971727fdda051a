"""What all tests share."""

from __future__ import annotations

import os

import pytest


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
