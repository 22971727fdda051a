"""The servers that the judges share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.contract.client import Api, opened


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server with the default limits, on which lethal operations exist."""
    with opened(tmp_path_factory.mktemp("house") / "data", test_operations=1) as api:
        yield api


@pytest.fixture(scope="session")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server with low limits on bytes, pixels, sides and frames."""
    with opened(
        tmp_path_factory.mktemp("narrow") / "data",
        max_body=100_000,
        max_pixels=10_000,
        max_side=200,
        max_frames=5,
        max_output_pixels=40_000,
    ) as api:
        yield api


@pytest.fixture(scope="session")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server that waits a second for everything, forgets after four, and lets another origin in."""
    with opened(
        tmp_path_factory.mktemp("hasty") / "data",
        test_operations=1,
        header_timeout=1,
        body_timeout=1,
        job_timeout=1,
        sync_wait=1,
        retention=4,
        idempotency_retention=1,
        worker_memory="512MiB",
        cors_origins="https://app.example",
        max_body="4MiB",
    ) as api:
        yield api


@pytest.fixture
def nothing_is_left(house: Api) -> Iterator[None]:
    """The data directory is as before, but for what `reference=bad` left, and the next request is fine."""
    house.is_fine()
    before = house.files()
    yield
    for job in house.get("/v1/jobs", params={"limit": "50"}).json()["items"]:
        if job["reference"] == "bad":
            house.ended(job["id"])
            house.delete(f"/v1/jobs/{job['id']}")
    house.until_files(before)
    house.is_fine()
