"""What runs inside a worker process: it guards itself, warms up, and does one task at a time."""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import math
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from imgsvc import plugins
from imgsvc.dispatch._lanes.board import Board
from imgsvc.dispatch._lanes.wire import WorkersEnd

#: A function that does a task: told the task and whom to tell each step, it answers with a report.
Work = Callable[[Mapping[str, Any], Callable[[str], None]], Mapping[str, Any]]

#: prctl(2).
_PR_SET_PDEATHSIG = 1
#: How much sooner than the server the kernel's out-of-memory killer takes a worker (-1000 to 1000).
_OOM_SCORE = "700"
#: The server answers small requests while workers are busy on every CPU.
_NICE = 5
#: Imported before the first task, for whatever it asks for.
_ROOMS = ("imgsvc.formats", "imgsvc.operations")
#: An answer that there is none: the work raised, which it must not, or its answer is too long.
FAILED = -1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker process is told as it starts."""

    #: The pid of the server.
    parent: int
    #: Address space, in bytes.
    memory: int | None
    #: The function that does tasks: "package.module:name".
    work: str
    #: Open files that it inherits and must not have.
    foreign: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Bench:
    """What this process works with."""

    board: Board
    wire: WorkersEnd
    work: Work


_bench: _Bench | None = None


def begin(setup: Setup, board: Board, wire: WorkersEnd) -> None:
    """Make this process a worker; where that fails it says why on the board and is gone."""
    global _bench  # noqa: PLW0603  # set once, before the first task: loky's workers are functions
    try:
        _log_in_lines()
        _ignore_signals()
        _die_with(setup.parent)
        _go_first_for_memory()
        _cut_off(setup.foreign)
        module, _, name = setup.work.partition(":")
        _bench = _Bench(board, wire, getattr(import_module(module), name))
        _load_rooms()
        # Nothing of what is there now is garbage: collections need not look at it.
        gc.collect()
        gc.freeze()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold somebody's picture
        if setup.memory is not None:
            _limit(resource.RLIMIT_AS, setup.memory)
        # Last: a lane waits for the process to come up, and that may take its turn like anyone's work.
        with suppress(OSError):
            os.nice(_NICE)
    except BaseException as error:  # noqa: BLE001  # whatever it is, there is nobody else to tell
        board.show(f"{type(error).__name__}: {error}")
        os._exit(1)


def prepare(parent: int) -> None:
    """Make this process one that workers are copies of."""
    _ignore_signals()
    _die_with(parent)
    _go_first_for_memory()
    _load_rooms()


def ready() -> int:
    """The first call: answers once the process takes tasks."""
    return os.getpid()


def serve() -> None:
    """The second call, and the last: does one task after the other, as long as the server lives."""
    assert _bench is not None, "the process was never made a worker"  # noqa: S101  # a bug of ours
    _bench.wire.serve(partial(_run, _bench))


def _run(bench: _Bench, length: int, cpu_s: float) -> int:
    """Do a task given as JSON on the board and leave the answer there; the answer's length, or FAILED.

    The kernel ends this process by SIGXCPU after `cpu_s` seconds of CPU time.
    """
    try:
        with _cpu_limit(cpu_s):
            answer = bench.work(json.loads(bench.board.asked(length)), bench.board.show)
        return bench.board.write(json.dumps(answer, separators=(",", ":")).encode())
    except BaseException:  # noqa: BLE001  # an exception that crosses the process border may break the lane
        _log.exception("a worker's function failed")
        return FAILED


class _Lines(logging.Formatter):
    """One JSON line for each record, as the server writes them."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
            "pid": record.process,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def _log_in_lines() -> None:
    """What this process logs goes to the server's stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.captureWarnings(capture=True)


def _load_rooms() -> None:
    for room in _ROOMS:
        for each in plugins.names(room):
            plugins.load(room, each)


def _ignore_signals() -> None:
    """The server is told to stop, not its workers: it lets them finish, or kills them."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # Both were blocked while the process came up; what came then is dropped now.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})


def _die_with(parent: int) -> None:
    """Be killed when the server (the thread that started this process, to be exact) ends."""
    with suppress(AttributeError, OSError):  # Linux has it
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it has ended already
        os._exit(1)


def _go_first_for_memory() -> None:
    """When the kernel has none left it takes this process, not the server."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE, "ascii")


def _cut_off(foreign: tuple[int, ...]) -> None:
    """Replace open files by /dev/null: their numbers stay taken, so that nothing else gets them."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in foreign:
        os.dup2(null, fd)
    os.close(null)


def _limit(which: int, value: int) -> None:
    """Set a soft limit, no higher than this process may, where the system knows it."""
    _, hard = resource.getrlimit(which)
    with suppress(OSError, ValueError):
        resource.setrlimit(which, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


@contextmanager
def _cpu_limit(seconds: float) -> Iterator[None]:
    """The limit counts from the start of the process and in whole seconds."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    _limit(resource.RLIMIT_CPU, math.ceil(time.process_time() + seconds))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
