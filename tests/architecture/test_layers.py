"""Imports go down only, and a breach is noticed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """What import-linter says of the package in a folder."""
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [str(program), "--no-cache", "--config", str(ROOT / ".importlinter")],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package that may be spoilt."""
    shutil.copytree(ROOT / "imgsvc", tmp_path / "imgsvc", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_the_layers_are_kept() -> None:
    found = lint(ROOT)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("worker.py", "import imgsvc.config", "Imports go down only"),
        ("storage/__init__.py", "import imgsvc.imaging", "Imports go down only"),
        ("scheduler/__init__.py", "import imgsvc.service", "Imports go down only"),
        ("scheduler/__init__.py", "import fastapi", "FastAPI and Starlette live in the api room"),
        ("worker.py", "import starlette.responses", "FastAPI and Starlette live in the api room"),
        ("operations/resize.py", "import imgsvc.operations.crop", "Operations do not know each other"),
        ("formats/png.py", "import imgsvc.formats.webp", "Formats do not know each other"),
        ("stray.py", "'''A module that does not say where it lives.'''", "stray"),
    ],
)
def test_a_breach_is_refused(copy: Path, file: str, line: str, contract: str) -> None:
    with (copy / "imgsvc" / file).open("a") as module:
        module.write(f"\n{line}\n")
    found = lint(copy)
    assert found.returncode != 0
    assert contract in found.stdout
