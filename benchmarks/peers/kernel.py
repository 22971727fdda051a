"""The bare kernel: processes that do nothing but read a file and call `render`, as many as there are CPUs."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

from benchmarks.peers.services import CPUS
from imgsvc.imaging import Limits, render
from imgsvc.pipeline import Grammar


class Kernel:
    """Processes that render files with a pipeline until a time is over."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        pipes = [context.Pipe() for _ in range(CPUS)]
        self._controls = [ours for ours, _ in pipes]
        self._processes = [context.Process(target=_loop, args=(theirs,), daemon=True) for _, theirs in pipes]

    def __enter__(self) -> Self:
        for process in self._processes:
            process.start()
        return self

    def __exit__(self, *_: object) -> None:
        for control in self._controls:
            with contextlib.suppress(BrokenPipeError):  # it got the same signal as we
                control.send(None)
        for process in self._processes:
            process.join(10)

    def cpu_ms(self, files: Sequence[Path], pipeline: str, seconds: float) -> float:
        """CPU milliseconds for one picture while all processes are at work."""
        for control in self._controls:
            control.send(([str(file) for file in files], pipeline, seconds))
        answers: list[tuple[float, int]] = [control.recv() for control in self._controls]
        return sum(cpu for cpu, _ in answers) * 1000 / sum(count for _, count in answers)


def _loop(control: Connection) -> None:
    while asked := control.recv():
        files, pipeline, seconds = asked
        targets, limits = [("default", Grammar().parse(pipeline))], Limits()
        render(Path(files[0]).read_bytes(), targets, limits)
        count, before, deadline = 0, time.process_time(), time.perf_counter() + seconds
        while not count or time.perf_counter() < deadline:
            render(Path(files[count % len(files)]).read_bytes(), targets, limits)
            count += 1
        control.send((time.process_time() - before, count))
