"""The data directory: one process at a time works in it, and says why when it can't."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from imgsvc import jobstore, plugins, storage
from imgsvc.config import Settings, SettingsRefused
from imgsvc.dispatch import CannotStart
from imgsvc.errors import ImgsvcError, StorageUnavailable


class CannotOpen(Exception):
    """The service can't start as it is set up; `str(error)` says why, for the operator's eyes."""


class DirectoryInUse(CannotOpen):
    """Another server works on the same data directory."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        self.folder, self.pid = folder, pid
        who = "another server" if pid is None else f"the server with pid {pid}"
        super().__init__(f"{folder} is in use by {who}; stop it, or set IMGSVC_DATA_DIR to another folder")


@contextmanager
def refusals(hint: str = "") -> Iterator[None]:
    """What a part says of its medium, as a reason not to start; `hint` tells which setting is about it."""
    try:
        yield
    except (ImgsvcError, CannotStart) as error:
        # To clients it says no more than that; what is behind it is for the operator's eyes.
        behind = error.__cause__ if isinstance(error, StorageUnavailable) else None
        more = "" if behind is None or isinstance(behind, ImgsvcError) else f": {behind}"
        raise CannotOpen(f"{error}{more}{hint}") from error
    except OSError as error:
        raise CannotOpen(f"{error.strerror}: {error.filename}") from error


@contextmanager
def setting(name: str, url: str, room: str) -> Iterator[None]:
    """What is wrong with the URL that a setting gives to a room. Raises SettingsRefused."""
    try:
        yield
    except (LookupError, ValueError) as error:
        why = str(error)
        if isinstance(error, LookupError):
            allowed = ", ".join(f"{scheme}:" for scheme in plugins.names(room))
            why = f"there is no {url.partition(':')[0]}:, allowed are {allowed}"
        raise SettingsRefused([f"IMGSVC_{name.upper()}={url!r}: {why}"]) from error


def connected(settings: Settings) -> tuple[storage.Storage, jobstore.JobStore]:
    """The storage and the job store, neither opened nor made yet. Raises SettingsRefused."""
    with setting("storage", settings.storage, "imgsvc.storage"):
        blobs = storage.connect(settings.storage)
    with setting("jobs", settings.jobs, "imgsvc.jobstore"):
        return blobs, jobstore.connect(settings.jobs)


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


def check_sources(settings: Settings) -> None:
    """Refuse a folder of sources that is none, or that holds what the service keeps: everybody could see it.

    Raises SettingsRefused.
    """
    folder = settings.sources_dir
    if folder is None:
        return
    why = None
    if not folder.is_dir():
        why = "expected a folder that is there"
    else:
        ours = folder.resolve()
        for name, theirs in _kept_in(settings):
            if theirs.is_relative_to(ours) or ours.is_relative_to(theirs):
                where = "in it" if theirs.is_relative_to(ours) else "around it"
                why = f"IMGSVC_{name} ({theirs}) is {where}, which would show what is kept there"
                break
    if why is not None:
        raise SettingsRefused([f"IMGSVC_SOURCES_DIR={str(folder)!r}: {why}"])


def _kept_in(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Where the service keeps anything, and the settings that say so."""
    yield "DATA_DIR", settings.data_dir.resolve()
    for name, url in (("STORAGE", settings.storage), ("JOBS", settings.jobs)):
        path = Path(unquote(urlsplit(url).path))
        if path.is_absolute():
            yield name, path.resolve()


def _pid_in(lock: int) -> int | None:
    try:
        return int(os.pread(lock, 32, 0))
    except ValueError:  # it has just been taken
        return None
