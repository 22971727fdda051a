"""Steps are timed in the order in which they began, frame by frame into the same."""

from __future__ import annotations

import hashlib
import math
import resource
import threading
import time

import pytest

from imgsvc.imaging import Clock, CpuClock
from imgsvc.raster.geometry import Size


def test_a_step_is_timed_and_told() -> None:
    told: list[str] = []
    clock = Clock(told.append)
    with clock.step("decode") as step:
        step.sees(None, Size(4, 3))
    with clock.step("resize", "thumb"):
        sum(range(200_000))
    assert told == ["decode", "thumb: resize"]
    decode, resize = clock.steps
    assert (decode.output, decode.before, decode.after) == (None, None, (4, 3))
    assert (resize.output, resize.op) == ("thumb", "resize")
    assert resize.wall_ms > 0
    assert resize.cpu_ms > 0


def test_the_same_step_again_adds_to_it_and_another_place_does_not() -> None:
    clock = Clock()
    for _ in range(3):
        for place in (0, 1):
            with clock.step("blur", "a", place) as step:
                step.sees(Size(2, 2), Size(2, 2))
    assert [(step.op, step.after) for step in clock.steps] == [("blur", (2, 2))] * 2
    assert repr(clock) == "<Clock blur, blur>"


def test_a_step_that_fails_is_there_too() -> None:
    clock = Clock()
    with pytest.raises(ValueError, match="no"), clock.step("crop", "a"):
        raise ValueError("no")
    assert [step.op for step in clock.steps] == ["crop"]


def test_cpu_time_is_exact_also_under_a_limit_of_it() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time() + 60), hard))
    try:
        cpu = CpuClock()
        until = time.thread_time() + 0.0005
        while time.thread_time() < until:
            pass
        assert 0.4 < cpu.ms < 11
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def test_the_cpu_time_of_other_threads_counts() -> None:
    cpu = CpuClock()
    busy = threading.Thread(target=hashlib.pbkdf2_hmac, args=("sha256", b"", b"", 200_000))
    busy.start()
    busy.join()
    assert cpu.ms > 20
