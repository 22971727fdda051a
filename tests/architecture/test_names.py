"""Names say what is inside."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: What collects everything that nobody has thought about.
FORBIDDEN = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "misc", "tools", "base"}


@pytest.mark.parametrize("folder", ["imgsvc", "tests", "benchmarks", "scripts"])
def test_no_module_is_called_utils_or_the_like(folder: str) -> None:
    for path in (ROOT / folder).rglob("*"):
        if "__pycache__" not in path.parts:
            assert path.stem.lower() not in FORBIDDEN, path


def test_no_class_is_a_manager_or_a_helper() -> None:
    for module in (ROOT / "imgsvc").rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.ClassDef):
                assert not node.name.lower().endswith(("manager", "helper", "util", "utils")), node.name


@pytest.mark.parametrize("folder", ["imgsvc", "benchmarks"])
def test_every_module_says_in_a_sentence_what_it_is_for(folder: str) -> None:
    for module in (ROOT / folder).rglob("*.py"):
        docstring = ast.get_docstring(ast.parse(module.read_text()))
        if module.name == "__init__.py" and not module.read_text():
            continue
        assert docstring, f"{module} has no docstring"
        first = docstring.partition("\n\n")[0]
        assert len(first) <= 250, f"{module}: one sentence"
