"""What runs inside the template: for each order it makes a copy of itself, which becomes a worker."""

from __future__ import annotations

import fcntl
import gc
import json
import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import imgsvc.worker  # noqa: F401  # copies need it
from imgsvc.dispatch._lanes import child
from imgsvc.dispatch._lanes.template import LONGEST, MOST_FILES, PATIENCE_S
from imgsvc.dispatch.loky import become


def serve(orders: socket.socket, server: int) -> None:
    """Make a copy for each order, until the server closes its end, or dies with an order on its way."""
    with suppress(ConnectionError):
        while True:
            order, files, _, _ = socket.recv_fds(orders, LONGEST, MOST_FILES)
            if not order:
                return
            pid = _copy(json.loads(order), files, server)
            for fd in files:
                os.close(fd)
            orders.send(str(pid).encode())


def _copy(order: Mapping[str, Any], files: Sequence[int], server: int) -> int:
    """Fork twice, so that the copy has no parent and becomes the server's child."""
    reading, writing = os.pipe()
    between = os.fork()
    if not between:
        copy = os.fork()
        if copy:
            os.write(writing, str(copy).encode())
            os._exit(0)
        try:
            _take_over(files, order["files"])
            _wait_for(server)
            become(order["pipe"])
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as told:
        pid = int(told.read())
    os.waitpid(between, 0)
    return pid


def _take_over(files: Sequence[int], numbers: Sequence[int]) -> None:
    """Have the files under their numbers, and no others."""
    above = max(*numbers, *files) + 1
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD, above) for fd in files]
    os.closerange(3, above)
    for fd, number in zip(moved, numbers, strict=True):
        os.dup2(fd, number, inheritable=True)
        os.close(fd)


def _wait_for(server: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while os.getppid() != server and time.monotonic() < deadline:
        time.sleep(0.0005)


def main(fd: int, server: int) -> None:
    """Warm up and serve."""
    child.prepare(server)
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=fd) as orders:
        with suppress(ConnectionError):  # as below
            orders.send(b"up")
        serve(orders, server)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
