"""The data directory: one process at a time works in it, and says why when it can't."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imgsvc.dispatch import CannotStart
from imgsvc.errors import ImgsvcError


class CannotOpen(Exception):
    """The service can't start as it is set up; `str(error)` says why, for the operator's eyes."""


class DirectoryInUse(CannotOpen):
    """Another server works on the same data directory."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        self.folder, self.pid = folder, pid
        who = "another server" if pid is None else f"the server with pid {pid}"
        super().__init__(f"{folder} is in use by {who}; stop it, or set IMGSVC_DATA_DIR to another folder")


@contextmanager
def refusals() -> Iterator[None]:
    """What a part says of its options or of its medium, as a reason not to start."""
    try:
        yield
    except (LookupError, ValueError, ImgsvcError, CannotStart) as error:
        raise CannotOpen(str(error.args[0] if error.args else error)) from error
    except OSError as error:
        raise CannotOpen(f"{error.strerror}: {error.filename}") from error


@contextmanager
def data_directory(folder: Path, *, create: bool = True) -> Iterator[None]:
    """The data directory, ours alone until the context is left or this process dies.

    Raises DirectoryInUse, and CannotOpen also where no service has worked yet and `create` is not set.
    """
    try:
        if create:
            folder.mkdir(parents=True, exist_ok=True)
        how = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
        lock = os.open(folder / "lock", how, 0o644)
    except FileNotFoundError as error:
        raise CannotOpen(f"{folder} is not the data directory of a service") from error
    except OSError as error:
        raise CannotOpen(f"can't use the data directory {folder}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DirectoryInUse(folder, _pid_in(lock)) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(lock)


def _pid_in(lock: int) -> int | None:
    try:
        return int(os.pread(lock, 32, 0))
    except ValueError:  # it has just been taken
        return None
