"""A small disk that can be filled: a tmpfs of this run's own, or the reserve of the disk that is there."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Set for the program that runs in a mount namespace of its own: what it mounts is gone when it ends.
INSIDE = "CHAOS_MAY_MOUNT"
_MIB = 2**20
#: The tmpfs, and what must stay free on it (`DISK_RESERVE`).
SIZE, RESERVE = 384 * _MIB, 16 * _MIB
_PIECE = 4 * _MIB
#: Without a tmpfs: what a filler file takes; half of it is room for neighbours on the same disk.
_FILLER = 4096 * _MIB


def namespace() -> list[str] | None:
    """The command that gives a program mounts of its own, where that is allowed."""
    for options in (["--mount"], ["--mount", "--map-root-user"]):
        command = ["unshare", *options]
        try:
            if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
                return command
        except FileNotFoundError:
            return None
    return None


class Disk:
    """Where the data directory is, beside a file that takes the room away."""

    def __init__(self, folder: Path, reserve: int, *, real: bool, filler: int = SIZE) -> None:
        self.data = folder / "data"
        self.reserve = reserve
        self.real = real
        self._takes = filler
        self._filler = folder / "filler"

    def __str__(self) -> str:
        if self.real:
            return f"a tmpfs of {SIZE // _MIB} MiB, filled to its last byte or below DISK_RESERVE"
        return "the disk that is there, with a filler file below DISK_RESERVE (mounting is not allowed)"

    def fill(self, *, brim: bool) -> None:
        """Leave nothing at all (`brim`), or a little less than the reserve."""
        with self._filler.open("wb") as file:
            if not self.real:
                os.posix_fallocate(file.fileno(), 0, self._takes)
                return
            room = shutil.disk_usage(self._filler.parent).free - (0 if brim else self.reserve // 2)
            while room > 0:
                try:
                    os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), min(room, _PIECE))
                except OSError:  # somebody else took the rest
                    return
                room -= _PIECE

    def free(self) -> None:
        """Give the room back."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """A tmpfs where this program may mount; else the folder, with a reserve below what is free."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.environ.get(INSIDE) and _mounted(folder):
        try:
            yield Disk(folder, RESERVE, real=True)
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)
        return
    free = shutil.disk_usage(folder).free
    filler = min(_FILLER, free // 4)
    disk = Disk(folder, free - filler // 2, real=False, filler=filler)
    try:
        yield disk
    finally:
        disk.free()


def _mounted(folder: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
