"""Everything that users meet is documented, and the generated pages are current."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from imgsvc import formats, operations, plugins
from imgsvc.api import problems
from imgsvc.config import Settings
from imgsvc.errors import ERRORS, InternalError

ROOT = Path(__file__).parents[2]


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text()


def test_the_generated_pages_are_current() -> None:
    found = subprocess.run(
        [sys.executable, "scripts/docs", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_is_documented(name: str) -> None:
    assert f"`IMGSVC_{name.upper()}`" in page("configuration")


@pytest.mark.parametrize("code", list(ERRORS))
def test_every_error_is_documented(code: str) -> None:
    assert f"### {code}" in page("errors")


@pytest.mark.parametrize("name", [*operations.registry(), *formats.endings()])
def test_every_operation_and_format_is_documented(name: str) -> None:
    assert f"### {name}" in page("operations")


def test_the_formats_that_are_taken_and_those_that_people_miss_are_named() -> None:
    (said,) = re.findall(r"^Sources are of .*?\n\n", page("operations"), re.MULTILINE | re.DOTALL)
    taken, missed = re.findall(r"`([a-z]+)`", said), ("HEIC", "HEIF", "SVG", "TIFF", "BMP")
    assert taken == list(formats.registry())
    for name in missed:
        assert name in said
        assert name.lower() not in formats.named()


def test_the_page_on_errors_says_how_a_failed_jobs_error_differs() -> None:
    assert "request_id" not in problems.document(InternalError("x").problem)
    assert "A failed job has such an object in `error`, without\n`request_id`" in page("errors")


def test_every_command_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for name in plugins.names("imgsvc.cli"):
        assert f"imgsvc {name}" in readme


def test_every_dependency_is_explained() -> None:
    text = page("dependencies")
    pyproject = (ROOT / "pyproject.toml").read_text()
    for line in pyproject[pyproject.index("dependencies = [") :].splitlines():
        if line == "[project.scripts]":
            break
        if line.strip().startswith('"'):
            name = line.strip().strip('",').split(">")[0].split(";")[0].split("[")[0].strip()
            assert f"| {name} |" in text or f"{name}," in text or f", {name}" in text, name


def test_every_decision_is_listed() -> None:
    listed = page("decisions/README")
    for decision in (ROOT / "docs" / "decisions").glob("0*.md"):
        assert f"({decision.name})" in listed


def test_links_between_pages_lead_somewhere() -> None:

    for source in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", source.read_text()):
            if "://" not in target and not target.startswith(("/", "mailto:")):
                assert (source.parent / target).exists(), f"{source.name}: {target}"
