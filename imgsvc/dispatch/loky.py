"""Lanes on loky: executors of one process each, so that what one task does to its process harms no other.

Every touch of loky, its private attributes included, is in this file; `_Parts` names them.
"""

from __future__ import annotations

import asyncio
import io
import os
import pickle
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from multiprocessing import process as stdlib_process
from multiprocessing import resource_tracker as stdlib_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, NoReturn

from loky.backend import fork_exec, spawn
from loky.backend import resource_tracker as loky_tracker
from loky.backend.synchronize import SemLock
from loky.process_executor import ProcessPoolExecutor

from imgsvc.dispatch._base import CannotStart, Resources
from imgsvc.dispatch._lanes import child
from imgsvc.dispatch._lanes.board import Board
from imgsvc.dispatch._lanes.lanes import Lanes
from imgsvc.dispatch._lanes.semaphores import Names
from imgsvc.dispatch._lanes.template import Template
from imgsvc.dispatch._lanes.wire import Wire

#: What worker processes find in their environment besides ours.
_ENV = {
    # loky never replaces a process by itself: it would need what `seal` closes.
    "LOKY_MAX_MEMORY_LEAK_SIZE": "1e15",
    # Known to loky as "leave it off": a segmentation fault prints no traceback on our stderr.
    "PYTHONFAULTHANDLER": "",
    # Each further arena of glibc's malloc takes 64 MB of the address space that `memory` bounds.
    "MALLOC_ARENA_MAX": "2",
}
#: What a worker may send: an integer with its envelope takes 120 bytes.
_LONGEST_ANSWER = 4096
#: Seconds that loky's thread waits for a process that it has killed.
_JOIN_S = 5.0


def connect(url: str, resources: Resources) -> LokyDispatcher:
    """See `dispatch.connect`: `loky:` has no options."""
    if url != "loky:":
        raise ValueError(f"loky: takes no options, {url!r} has some")
    return LokyDispatcher(resources)


class LokyDispatcher(Lanes):
    """See `dispatch.Dispatcher`."""

    def __init__(self, resources: Resources, work: str = "imgsvc.worker:run") -> None:
        """`work` names the function that does tasks: worker processes import it."""
        self._names = Names(resources.scratch)
        #: What processes are copies of; one that is gone is replaced with the next process.
        self._template: Template | None = None
        #: Has one come up? Then another one will.
        self._copies = False
        self._renewal: asyncio.Task[None] | None = None
        super().__init__(resources, work, self._process)

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]} {self._template}>"

    async def start(self) -> None:
        """See `Dispatcher.start`."""
        self._names.keep()
        self._template = _template()
        await self._template.ready()
        self._copies = self._template.up
        await super().start()

    async def stop(self) -> None:
        """See `Dispatcher.stop`."""
        await super().stop()
        if self._renewal is not None:
            self._renewal.cancel()
        if self._template is not None:
            self._template.close()
        self._names.forget()

    def _process(self, work: str) -> LokyProcess:
        if self._copies and self._template is not None and self._template.gone:
            self._template = _template()
            self._renewal = asyncio.create_task(self._template.ready())
        return LokyProcess(self._resources, self._names, work, self._template)


class LokyProcess:
    """One process in an executor of its own: see `process.Process`. Made on the event loop's thread.

    (PR_SET_PDEATHSIG is bound to the thread that starts a process: were that a pool's, the process
    would be killed when the thread ends.)
    """

    def __init__(
        self, resources: Resources, names: Names, work: str, template: Template | None = None
    ) -> None:
        # A worker has no business with the trackers: loky's removes any path that it is told.
        trackers = [fd for fd in (loky_tracker.getfd(), stdlib_tracker.getfd()) if fd is not None]
        setup = child.Setup(os.getpid(), resources.memory, work, foreign=tuple(trackers))
        self.board = Board.make(resources.scratch)
        self._wire = Wire(self._on_answer)
        self._asked: Future[int] | None = None
        self._semaphores = _Semaphores(names)
        try:
            self._start(setup, template)
        except BaseException:
            self._wire.close()
            raise

    def _start(self, setup: child.Setup, template: Template | None) -> None:
        with self._semaphores.named(), _copied(template), _signals_held():
            executor = ProcessPoolExecutor(
                max_workers=1,
                timeout=None,
                env=_ENV,
                initializer=child.begin,
                initargs=(setup, self.board, self._wire),
            )
            self.ready: Future[int] = executor.submit(child.ready)
            executor.submit(child.serve)
        self._executor = executor
        self._parts = parts = _Parts.of(executor)
        if not self._semaphores.held:
            raise _unknown(executor, "semaphores named by SemLock._make_name")
        (self._process,) = parts.processes.values()
        self.pid: int = self._process.pid or 0
        self.sentinel: int = self._process.sentinel
        parts.thread.kill_workers = partial(_kill_all, parts.processes)
        parts.reader.recv = partial(_receive, parts.reader)  # type: ignore[method-assign]  # see there

    def __repr__(self) -> str:
        return f"<LokyProcess {self.pid}>"

    def seal(self) -> None:
        """See `Process.seal`: without our own end, a worker killed in mid-answer is an end of file."""
        self._parts.writer.close()
        self._semaphores.remove()
        self.board.handed_over()
        self._wire.handed_over()

    def submit(self, task: bytes, cpu_s: float) -> Future[int]:
        """See `Process.submit`."""
        try:
            self._wire.order(self.board.ask(task), cpu_s)
        except OSError as error:
            raise RuntimeError("the process is gone") from error
        self._asked = asked = Future[int]()
        return asked

    def _on_answer(self, length: int) -> None:
        asked, self._asked = self._asked, None
        if asked is not None:
            asked.set_result(length)

    def kill(self) -> None:
        """See `Process.kill`."""
        _kill(self._process)

    @property
    def exitcode(self) -> int | None:
        """See `Process.exitcode`."""
        return self._process.exitcode

    def close(self) -> None:
        """See `Process.close`."""
        if self.exitcode is None:
            # Not even the interpreter's exit waits for a process that survives SIGKILL.
            _children().discard(self._process)
        self._executor.shutdown(wait=False, kill_workers=True)
        self._semaphores.remove()
        self.board.close()
        self._wire.close()
        self._thread = self._parts.thread
        del self._executor, self._process, self._parts

    def join(self, seconds: float) -> None:
        """See `Process.join`."""
        self._thread.join(seconds)
        # The last reference to its pipes and semaphores: they go now, not at some collection.
        del self._thread


class _Semaphores:
    """One executor's semaphores, whose names are ours to remove: as soon as its process has opened them.

    From then on no SIGKILL can leave one behind, and before that the next start finds them. loky's tracker
    need not know of any: one that is killed and started anew has nothing to complain of.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        #: The names that there still are.
        self.held: set[str] = set()

    @contextmanager
    def named(self) -> Iterator[None]:
        """Semaphores that are made within are named and finalized by us."""
        before = {name: vars(SemLock).get(name) for name in ("_make_name", "_cleanup")}
        if None in before.values():
            raise CannotStart(_unsupported("SemLock", "_make_name or _cleanup"))
        try:
            _replace(SemLock, {"_make_name": self._take, "_cleanup": self._finalize})
            yield
        finally:
            _replace(SemLock, before)
            for name in tuple(self.held):
                loky_tracker.unregister(name, "semlock")

    def remove(self) -> None:
        """Remove all names; the semaphores themselves stay with whoever has opened them."""
        for name in tuple(self.held):
            self._finalize(name)

    def _take(self) -> str:
        name = self._names.take()
        self.held.add(name)
        return name

    def _finalize(self, name: str) -> None:
        """Called by us and, later and on any thread, as each semaphore is collected."""
        try:
            self.held.remove(name)
        except KeyError:  # it is somebody else's by now
            return
        self._names.give_back(name)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What we use of an executor beyond its public face."""

    #: Its one process, by pid.
    processes: dict[int, BaseProcess]
    #: Both ends of the pipe through which results come.
    reader: Connection
    writer: Connection
    #: The thread that tends to the process; it has `kill_workers`.
    thread: Any

    @classmethod
    def of(cls, executor: ProcessPoolExecutor) -> _Parts:
        """Raises CannotStart for a loky that is not the one we know."""
        thread = _part(executor, "_executor_manager_thread")
        _part(executor, "_executor_manager_thread.kill_workers")
        return cls(
            processes=_part(executor, "_processes"),
            reader=_part(executor, "_result_queue._reader"),
            writer=_part(executor, "_result_queue._writer"),
            thread=thread,
        )


def _part(executor: ProcessPoolExecutor, path: str) -> Any:  # noqa: ANN401  # whatever loky keeps there
    value: object = executor
    for name in path.split("."):
        value = getattr(value, name, None)
    if value is None:
        raise _unknown(executor, path)
    return value


def _replace(cls: type, members: Mapping[str, object]) -> None:
    for name, value in members.items():
        setattr(cls, name, value)


def _unknown(executor: ProcessPoolExecutor, what: str) -> CannotStart:
    executor.shutdown(wait=False, kill_workers=True)
    return CannotStart(_unsupported("ProcessPoolExecutor", what))


def _unsupported(thing: str, what: str) -> str:
    return f"loky {version('loky')} is not supported: its {thing} has no {what}; install 3.7"


def _template() -> Template:
    with _signals_held():
        return Template(partial(fork_exec.fork_exec, env=_ENV))


@contextmanager
def _copied(template: Template | None) -> Iterator[None]:
    """Processes that loky starts within are copies of the template, where it is up."""
    start = fork_exec.fork_exec

    def copy(command: Sequence[str], files: Sequence[int], env: Mapping[str, str]) -> int:
        pid = template and template.fork(int(command[command.index("--pipe") + 1]), files)
        return pid or int(start(command, files, env=env))

    fork_exec.fork_exec = copy
    try:
        yield
    finally:
        fork_exec.fork_exec = start


def become(pipe: int) -> NoReturn:
    """Be the process that loky starts and tells so through `pipe`: the last lines of its popen_loky_posix."""
    this: Any = stdlib_process.current_process()
    with os.fdopen(pipe, "rb") as sent:
        this._inheriting = True  # noqa: SLF001  # as multiprocessing has it
        try:
            spawn.prepare(pickle.load(sent))  # noqa: S301  # from the server
            process: Any = pickle.load(sent)  # noqa: S301  # from the server
        finally:
            del this._inheriting  # noqa: SLF001  # as above
    os._exit(process._bootstrap())  # noqa: SLF001  # as above


def _children() -> set[BaseProcess]:
    """The processes that the interpreter waits for as it exits."""
    found: set[BaseProcess] = getattr(stdlib_process, "_children", set())
    return found


@contextmanager
def _signals_held() -> Iterator[None]:
    """A process started here is deaf to SIGINT and SIGTERM until it has chosen to ignore them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _kill(process: BaseProcess) -> None:
    if process.exitcode is None and process.pid is not None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def _kill_all(processes: dict[int, BaseProcess], reason: str = "") -> None:  # noqa: ARG001  # as loky calls it
    """In place of `kill_workers`, which runs `pgrep` for each process and waits for ever."""
    while processes:
        _, process = processes.popitem()
        _kill(process)
        process.join(_JOIN_S)


def _receive(reader: Connection) -> object:
    """In place of `recv`, which builds whatever object a process that has been taken over sends."""
    return _Answers(io.BytesIO(reader.recv_bytes(_LONGEST_ANSWER))).load()


class _Answers(pickle.Unpickler):
    """Reads loky's envelope around integers and nothing else; anything else breaks the lane."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401  # as pickle has it
        """See `pickle.Unpickler`."""
        if (module, name) != ("loky.process_executor", "_ResultItem"):
            raise pickle.UnpicklingError(f"a worker sent a {module}.{name}")
        return super().find_class(module, name)
