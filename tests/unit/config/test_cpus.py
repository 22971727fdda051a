"""A container's quota counts, not the machine's processors."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgsvc.config.cpus import granted_cpus


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    folder = tmp_path / "cgroup"
    folder.mkdir()
    return folder


def _granted(membership: str, mounts: Path, allowed: int = 64) -> int:
    file = mounts.parent / "self"
    file.write_text(membership)
    return granted_cpus(membership=file, mounts=mounts, allowed=allowed)


def _write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_without_a_quota_the_affinity_decides(mounts: Path) -> None:
    _write(mounts / "app", cpu__max="max 100000\n")
    assert _granted("0::/app\n", mounts, allowed=6) == 6


def test_a_quota_of_cgroup_v2_counts(mounts: Path) -> None:
    _write(mounts / "app", cpu__max="200000 100000\n")
    assert _granted("0::/app\n", mounts) == 2


def test_the_tightest_quota_above_us_counts(mounts: Path) -> None:
    _write(mounts / "pod" / "app", cpu__max="max 100000\n")
    _write(mounts / "pod", cpu__max="300000 100000\n")
    assert _granted("0::/pod/app\n", mounts) == 3


def test_inside_a_container_only_the_root_is_visible(mounts: Path) -> None:
    _write(mounts, cpu__max="100000 100000\n")
    assert _granted("0::/somewhere/on/the/host\n", mounts) == 1


def test_a_part_of_a_processor_is_rounded_up(mounts: Path) -> None:
    _write(mounts, cpu__max="150000 100000\n")
    assert _granted("0::/\n", mounts) == 2
    _write(mounts, cpu__max="20000 100000\n")
    assert _granted("0::/\n", mounts) == 1


@pytest.mark.parametrize("controllers", ["cpu", "cpu,cpuacct"])
def test_a_quota_of_cgroup_v1_counts(mounts: Path, controllers: str) -> None:
    _write(mounts / controllers / "app", cpu__cfs_quota_us="400000", cpu__cfs_period_us="100000")
    assert _granted(f"3:cpuset:/\n2:{controllers}:/app\n", mounts) == 4


def test_no_quota_in_cgroup_v1_is_minus_one(mounts: Path) -> None:
    _write(mounts / "cpu", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
    assert _granted("2:cpu:/\n", mounts, allowed=5) == 5


def test_nonsense_is_no_quota(mounts: Path) -> None:
    _write(mounts, cpu__max="lots of it\n")
    assert _granted("garbage\n0::/\n", mounts, allowed=7) == 7


def test_a_machine_without_cgroups_counts_its_processors(tmp_path: Path) -> None:
    assert granted_cpus(membership=tmp_path / "none", mounts=tmp_path, allowed=3) == 3
    assert granted_cpus() >= 1
