"""How many CPUs this process may really use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path


def granted_cpus(
    *,
    membership: Path = Path("/proc/self/cgroup"),
    mounts: Path = Path("/sys/fs/cgroup"),
    allowed: int | None = None,
) -> int:
    """The smaller of the CPU affinity and the tightest cgroup quota above us, rounded up, at least 1.

    `os.cpu_count()` counts the machine; a container with `--cpus 2` on 64 cores would start 64 workers.
    """
    if allowed is None:
        allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [math.ceil(quota) for quota in _quotas(membership, mounts)]
    return max(1, min([allowed, *quotas]))


def _quotas(membership: Path, mounts: Path) -> Iterator[float]:
    """Every CPU quota that applies, in CPUs; none where nothing limits us or nothing can be read."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            for folder in _upwards(mounts, path):
                yield from _quota_v2(folder / "cpu.max")
        elif "cpu" in controllers.split(","):
            for root in (mounts / controllers, mounts / "cpu"):
                for folder in _upwards(root, path):
                    yield from _quota_v1(folder)


def _upwards(root: Path, path: str) -> Iterator[Path]:
    """The cgroup's folder and those above it: inside a container only the root may be visible."""
    folder = root / path.strip("/")
    while True:
        yield folder
        if folder == root or root not in folder.parents:
            return
        folder = folder.parent


def _quota_v2(file: Path) -> Iterator[float]:
    try:
        quota, period = file.read_text().split()
        if quota != "max":
            yield int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return


def _quota_v1(folder: Path) -> Iterator[float]:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        period = int((folder / "cpu.cfs_period_us").read_text())
        if quota > 0:
            yield quota / period
    except (OSError, ValueError, ZeroDivisionError):
        return
