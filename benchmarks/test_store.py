"""The job store's hot paths on SQLite, each durable: what a job costs between its upload and its result."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from imgsvc import jobstore
from imgsvc.jobs import Job
from imgsvc.jobstore import JobStore
from tests.records import NOW, a_job, success

T = TypeVar("T")
#: As many callers as the API may well have at once.
CALLERS = 64


class Bench:
    """A store on an event loop of its own."""

    def __init__(self, store: JobStore) -> None:
        self.store = store
        self.loop = asyncio.new_event_loop()

    def run(self, call: Awaitable[T]) -> T:
        """Wait for one call."""
        return self.loop.run_until_complete(call)

    def add(self, count: int) -> list[Job]:
        """Queue some jobs."""

        async def adding() -> list[Job]:
            return await asyncio.gather(*[self.store.add(a_job(), rank=0) for _ in range(count)])

        return self.run(adding())

    def claim(self) -> Job:
        """Start the next one."""
        job = self.run(self.store.claim(NOW, lane=1))
        assert job
        return job


def pedantic(benchmark: BenchmarkFixture, function: Callable[..., object], **options: object) -> None:
    """`benchmark.pedantic`, which has no types."""
    benchmark.pedantic(function, **options)  # type: ignore[no-untyped-call]  # as said


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(jobstore.connect(f"sqlite://{tmp_path}/jobs.sqlite3"))
    bench.run(bench.store.open())
    yield bench
    bench.run(bench.store.close())
    bench.run(bench.loop.shutdown_default_executor())
    bench.loop.close()


def test_add(bench: Bench, benchmark: BenchmarkFixture) -> None:
    def one() -> tuple[tuple[Job], dict[str, object]]:
        return (a_job(),), {}

    pedantic(benchmark, lambda job: bench.run(bench.store.add(job, rank=0)), setup=one, rounds=500)


def test_claim(bench: Bench, benchmark: BenchmarkFixture) -> None:
    bench.add(600)
    pedantic(benchmark, bench.claim, rounds=500)


def test_settle(bench: Bench, benchmark: BenchmarkFixture) -> None:
    bench.add(600)

    def one() -> tuple[tuple[Job], dict[str, object]]:
        return (bench.claim(),), {}

    pedantic(
        benchmark, lambda job: bench.run(bench.store.settle(job.id, 1, success(job))), setup=one, rounds=500
    )


def test_get(bench: Bench, benchmark: BenchmarkFixture) -> None:
    (job,) = bench.add(1)
    bench.claim()
    bench.run(bench.store.settle(job.id, 1, success(job.evolve(attempts=1))))
    benchmark(lambda: bench.run(bench.store.get(job.id)))


def test_backlog(bench: Bench, benchmark: BenchmarkFixture) -> None:
    bench.add(1000)
    benchmark(lambda: bench.run(bench.store.backlog()))


def test_first_page_of_fifty(bench: Bench, benchmark: BenchmarkFixture) -> None:
    bench.add(1000)
    page = benchmark(lambda: bench.run(bench.store.list(limit=50)))
    assert len(page.items) == 50


def test_place_in_a_line_of_ten_thousand(bench: Bench, benchmark: BenchmarkFixture) -> None:
    last = max(bench.add(10_000), key=lambda job: job.id)
    assert benchmark(lambda: bench.run(bench.store.position(last.id))) == 10_000


def test_a_hundred_adds_by_64_callers_at_once(bench: Bench, benchmark: BenchmarkFixture) -> None:
    """Group commit: a round is 6,400 durable adds."""

    async def caller(jobs: list[Job]) -> None:
        for job in jobs:
            await bench.store.add(job, rank=0)

    async def callers(jobs: list[Job]) -> None:
        await asyncio.gather(*[caller(jobs[number::CALLERS]) for number in range(CALLERS)])

    def many() -> tuple[tuple[list[Job]], dict[str, object]]:
        return ([a_job() for _ in range(CALLERS * 100)],), {}

    pedantic(benchmark, lambda jobs: bench.run(callers(jobs)), setup=many, rounds=5)
