"""What is released is pinned, numbered and described."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from imgsvc import __version__

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-build.lock")


def pins(lock: str) -> dict[str, str]:
    """Name and version of everything in a lock."""
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE))


def test_the_version_is_the_newest_one_of_the_changelog() -> None:
    headings = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    newest = next(heading for heading in headings if heading != "Unreleased")
    assert newest == __version__


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_everything_with_hashes_and_names_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    requirements = re.split(r"\n(?=[a-z0-9])", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    for requirement in filter(None, requirements):
        assert "==" in requirement
        assert "--hash=sha256:" in requirement, requirement


def test_the_locks_agree() -> None:
    run, dev = pins("requirements.lock"), pins("requirements-dev.lock")
    assert run.items() <= dev.items()


@pytest.mark.parametrize(("extras", "lock"), [((), LOCKS[0]), (("test", "dev"), LOCKS[1])])
def test_the_locks_hold_what_the_project_declares(extras: tuple[str, ...], lock: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    names = {re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower() for requirement in wanted}
    assert names <= set(pins(lock))


def test_no_file_names_an_index_or_this_machine() -> None:
    for pattern in ("*.toml", "*.lock", "Makefile", "Dockerfile", "scripts/*", ".ci/*"):
        for path in ROOT.glob(pattern):
            if path.is_file():
                text = path.read_text()
                assert "index-url" not in text.replace("--no-emit-index-url", ""), path
                assert "/work/" not in text, path
