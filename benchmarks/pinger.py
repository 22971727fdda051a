"""Asks /livez every 20 ms from a process of its own, and counts from the moment each question was due."""

from __future__ import annotations

import contextlib
import http.client
import multiprocessing
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection

INTERVAL_S = 0.02


class Pinger:
    """One process, started before anything is measured; it can be set on one server after the other."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._control, theirs = context.Pipe()
        self._process = context.Process(target=_ping, args=(theirs,), daemon=True)
        self._process.start()
        self._control.recv()  # its start must not fall into a round

    @contextlib.contextmanager
    def on(self, port: int) -> Iterator[list[float]]:
        """Ping while the context lasts; the latencies in ms are in the list when it is left."""
        latencies: list[float] = []
        self._control.send(port)
        try:
            yield latencies
        finally:
            self._control.send(None)
            latencies += self._control.recv()

    def close(self) -> None:
        """End the process."""
        self._control.send(0)
        self._process.join(10)


def _ping(control: Connection) -> None:
    control.send("ready")
    while port := control.recv():
        control.send(_latencies(port, control))


def _latencies(port: int, control: Connection) -> list[float]:
    """Until told to stop. A question that waits for the answer to the one before is late, and counts so."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    latencies: list[float] = []
    due = time.perf_counter()
    while not control.poll(max(0.0, due - time.perf_counter())):
        connection.request("GET", "/livez")
        connection.getresponse().read()
        latencies.append((time.perf_counter() - due) * 1000)
        due += INTERVAL_S
    control.recv()
    connection.close()
    return latencies
