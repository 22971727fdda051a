"""Puts the peers into a folder outside of the project: thumbor from PyPI, ipx with sharp from npm."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

#: What is measured; another version needs another folder.
THUMBOR, IPX = "7.8.0", "3.1.1"


class CannotInstall(RuntimeError):
    """A peer is not to be had here; the text says why."""


def cache() -> Path:
    """Where the peers stay between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imgsvc-peers"


def thumbor(folder: Path) -> tuple[Path, str]:
    """The command of thumbor, and what it is made of; installed into a venv where it is missing."""
    there = folder / f"thumbor-{THUMBOR}"
    command = there / "bin" / "thumbor"
    if not command.exists():
        shutil.rmtree(there, ignore_errors=True)
        venv.create(there, with_pip=True)
        pip = [str(there / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        _run([*pip, "--disable-pip-version-check", f"thumbor=={THUMBOR}"], there)
    pillow = next(there.glob("lib/python*/site-packages/pillow-*.dist-info")).name.split("-")[1]
    return (
        command,
        f"thumbor {THUMBOR} (Python {sys.version.split()[0]}, Pillow {pillow.removesuffix('.dist')})",
    )


def ipx(folder: Path) -> tuple[Path, str]:
    """The folder whose node_modules has ipx, and what it is made of; installed where it is missing."""
    there = folder / f"ipx-{IPX}"
    if not (there / "node_modules" / "ipx" / "package.json").exists():
        shutil.rmtree(there, ignore_errors=True)
        there.mkdir(parents=True)
        (there / "package.json").write_text('{"private": true}')
        _run(["npm", "install", "--no-audit", "--no-fund", "--silent", f"ipx@{IPX}"], there)
    sharp = json.loads((there / "node_modules" / "sharp" / "package.json").read_text())["version"]
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return there, f"ipx {IPX} (Node {node.removeprefix('v')}, sharp {sharp})"


def _run(command: Sequence[str], folder: Path) -> None:
    """Raises CannotInstall with the end of what the command said; what is half there is removed."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError as missing:
        raise CannotInstall(f"{command[0]} is not installed") from missing
    if done.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise CannotInstall(f"{' '.join(command)}:\n{(done.stderr or done.stdout)[-1500:]}")
