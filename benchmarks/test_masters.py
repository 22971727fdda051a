"""Renders from the original and from a reduced master, and what a master costs to make and to keep."""

from __future__ import annotations

import io
from functools import cache
from itertools import count
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import photos
from imgsvc.imaging import Clock, Limits, Output, master, render
from imgsvc.imaging.levels import Level, level
from imgsvc.imaging.render import opened_source, prepared
from imgsvc.imaging.source import Origin
from imgsvc.masters import Kept, Masters, Wanted
from imgsvc.pipeline import Grammar
from imgsvc.raster import memory
from imgsvc.storage import Storage, connect

LIMITS, SIDE = Limits(), 2048
SOURCES = ["jpeg", "progressive", "png"]
PIPELINES = ["resize:256x/jpeg", "resize:800x/jpeg", "resize:600x/webp"]


@pytest.fixture(autouse=True, scope="module")
def _as_a_worker_does() -> None:
    memory.keep_freed()


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return connect(f"file://{tmp_path}")


@cache
def file_of(name: str) -> bytes:
    if name != "png":
        return photos.jpeg(progressive=name == "progressive")
    file = io.BytesIO()
    photos.scene().save(file, name, compress_level=1)
    return file.getvalue()


def level_of(name: str, ops: str) -> Level:
    found = level(opened_source(file_of(name), LIMITS).facts, Grammar().parse(ops), SIDE, LIMITS.reduce_gap)
    if found is None:
        pytest.skip("starts from the original")
    return found


def outputs(origin: Origin, ops: str) -> list[Output]:
    return prepared(origin, [("it", Grammar().parse(ops))], LIMITS)


def keep(storage: Storage, name: str, its: Level, key: str = "masters/ab/cd/its") -> Kept:
    made = master.make(opened_source(file_of(name), LIMITS), its, LIMITS, Clock())
    kept = Masters(storage, LIMITS, Clock()).keep(key, made)
    assert kept is not None
    return kept


@pytest.mark.parametrize("ops", PIPELINES)
@pytest.mark.parametrize("name", SOURCES)
def test_from_the_original(benchmark: BenchmarkFixture, name: str, ops: str) -> None:
    level_of(name, ops)
    benchmark(render, file_of(name), [("it", Grammar().parse(ops))], LIMITS)


@pytest.mark.parametrize("ops", PIPELINES)
@pytest.mark.parametrize("name", SOURCES)
def test_from_a_master(benchmark: BenchmarkFixture, storage: Storage, name: str, ops: str) -> None:
    its = level_of(name, ops)
    wanted = Wanted(level=str(its), at=keep(storage, name, its).key)

    def run() -> None:
        masters = Masters(storage, LIMITS, Clock())
        _, made = masters.render(wanted, lambda: io.BytesIO(b""), lambda origin: outputs(origin, ops))
        assert made is None

    benchmark(run)


@pytest.mark.parametrize("its", ["2", "4", "8", "m2048"])
def test_read(benchmark: BenchmarkFixture, storage: Storage, its: str) -> None:
    key = keep(storage, "jpeg", Level.parse(its)).key
    benchmark(lambda: master.read(storage.read(key)))


@pytest.mark.parametrize("its", ["2", "4", "8", "m2048"])
def test_keep(benchmark: BenchmarkFixture, storage: Storage, its: str) -> None:
    made = master.make(opened_source(file_of("jpeg"), LIMITS), Level.parse(its), LIMITS, Clock())
    masters, numbers, last = Masters(storage, LIMITS, Clock()), count(), [""]

    def run() -> None:
        storage.delete(last[0] or "masters/none")
        kept = masters.keep(f"masters/ab/cd/{next(numbers)}", made)
        assert kept is not None
        last[0] = kept.key

    benchmark(run)


@pytest.mark.parametrize("name", SOURCES)
def test_choose(benchmark: BenchmarkFixture, name: str) -> None:
    facts = opened_source(file_of(name), LIMITS).facts
    pipeline = Grammar().parse("grayscale/resize:256x/jpeg")
    benchmark(level, facts, pipeline, SIDE, LIMITS.reduce_gap)
