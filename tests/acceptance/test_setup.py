"""What `make` does before anything runs: it says what is missing, and does nothing twice."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is missing: apt-get install make")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What setting up reads, in a folder of its own."""
    for name in ("Makefile", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / name)
    for lock in ROOT.glob("requirements*.lock"):
        shutil.copy(lock, tmp_path / lock.name)
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "bin").mkdir()
    for name in ("make", "sh", "dirname", "touch", "sed", "expand", "rm", "echo"):
        found = shutil.which(name)
        assert found, name
        (tmp_path / "bin" / name).symlink_to(found)
    return tmp_path


def program(clone: Path, name: str, text: str) -> None:
    path = clone / "bin" / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def make(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "PYTHON", "VIRTUAL"))}
    return subprocess.run(
        ["make", *arguments],
        cwd=clone,
        env={**environment, "PATH": str(clone / "bin")},
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


def test_make_alone_lists_the_commands(clone: Path) -> None:
    found = make(clone)
    assert found.returncode == 0
    for name in ("serve", "test", "check", "format", "bench", "docs", "image", "lock", "clean"):
        assert f"make {name} " in found.stdout


def test_without_python_the_apt_line_is_printed(clone: Path) -> None:
    found = make(clone, "serve")
    assert found.returncode != 0
    assert "apt-get install python3 python3-venv" in found.stderr


def test_without_the_venv_module_the_apt_line_is_printed(clone: Path) -> None:
    program(clone, "python3", 'case "$*" in *venv*) exit 1 ;; *) exit 0 ;; esac')
    found = make(clone, "serve")
    assert found.returncode != 0
    assert "apt-get install python3-venv" in found.stderr
    assert not (clone / ".venv").exists()


def test_an_old_python_is_refused_by_its_version(clone: Path) -> None:
    program(clone, "python3.9", 'case "$*" in *-V*) echo Python 3.9.2 ;; *) exit 1 ;; esac')
    found = make(clone, "serve", "PYTHON=python3.9")
    assert found.returncode != 0
    assert "needs Python 3.11 or newer; python3.9 is Python 3.9.2" in found.stderr


def test_setting_up_is_done_once_and_again_when_a_lock_changes(clone: Path) -> None:
    """With a stand-in for uv that notes what it was asked to do."""
    program(
        clone,
        "uv",
        'echo "$@" >> uv.log; if [ "$1" = venv ]; then /bin/mkdir -p .venv/bin; '
        'printf "#!/bin/sh\\necho ran \\$*\\n" > .venv/bin/python; /bin/chmod +x .venv/bin/python; fi',
    )
    program(clone, "python3", "exit 0")
    first = make(clone, "serve")
    assert first.returncode == 0, first.stderr
    assert "ran -m imgsvc serve" in first.stdout
    asked = (clone / "uv.log").read_text()
    assert "--require-hashes -r requirements-build.lock -r requirements.lock" in asked
    assert "requirements-dev.lock" not in asked
    assert make(clone, "serve").returncode == 0
    assert (clone / "uv.log").read_text() == asked
    later = (clone / ".venv" / ".serve").stat().st_mtime + 5
    os.utime(clone / "requirements.lock", (later, later))
    assert make(clone, "serve").returncode == 0
    assert len((clone / "uv.log").read_text()) > len(asked)


def test_the_tests_install_what_they_need(clone: Path) -> None:
    program(
        clone,
        "uv",
        'echo "$@" >> uv.log; if [ "$1" = venv ]; then /bin/mkdir -p .venv/bin; '
        'printf "#!/bin/sh\\necho ran \\$*\\n" > .venv/bin/python; /bin/chmod +x .venv/bin/python; fi',
    )
    program(clone, "python3", "exit 0")
    found = make(clone, "test")
    assert "ran -m pytest" in found.stdout
    assert "requirements-dev.lock" in (clone / "uv.log").read_text()
    assert (clone / ".venv" / ".serve").exists()
