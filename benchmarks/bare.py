"""The bare loop: two processes that do nothing but call `render`, which is what the machine gives at best."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.connection import Connection

from imgsvc.imaging import Limits, render
from imgsvc.pipeline import Grammar

CPUS = 2


def _bare(source: bytes, ops: str, control: Connection) -> None:
    """One process of the bare loop: told a count, it renders so often and says that it is done."""
    targets = [("default", Grammar().parse(ops))]
    limits = Limits()
    render(source, targets, limits)
    control.send("done")
    while count := control.recv():
        for _ in range(count):
            render(source, targets, limits)
        control.send("done")


class BareLoop:
    """Two processes that render from memory to memory: what the machine gives at best."""

    def __init__(self, source: bytes, ops: str) -> None:
        context = multiprocessing.get_context("spawn")
        pipes = [context.Pipe() for _ in range(CPUS)]
        self._controls = [ours for ours, _ in pipes]
        self._processes = [
            context.Process(target=_bare, args=(source, ops, theirs), daemon=True) for _, theirs in pipes
        ]
        for process in self._processes:
            process.start()
        for control in self._controls:
            control.recv()

    def run(self, count: int) -> float:
        """Render `count` images; images per second."""
        began = time.perf_counter()
        for control in self._controls:
            control.send(count // CPUS)
        for control in self._controls:
            control.recv()
        return count / (time.perf_counter() - began)

    def close(self) -> None:
        """End both processes."""
        for control in self._controls:
            control.send(0)
        for process in self._processes:
            process.join(10)
