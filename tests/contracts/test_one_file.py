"""A new operation is one new file: grammar, catalogue, page and contract suite find it by themselves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

OPERATION = '''
"""`wobble`: made for this test."""

from typing import ClassVar

from PIL.Image import Image
from pydantic import Field

from imgsvc.operations._base import Context, Operation


class Wobble(Operation):
    """Wobble the picture."""

    positional: ClassVar[tuple[str, ...]] = ("times",)
    example: ClassVar[str] = "wobble:3"

    times: int = Field(default=1, ge=1, le=9, description="How often.")

    def apply(self, image: Image, context: Context) -> Image:
        return image
'''

#: As if the file lay in the folder.
FOUND = "import sys, imgsvc.operations; imgsvc.operations.__path__.append(sys.argv[1])"

GRAMMAR = """
import runpy
from imgsvc.errors import InvalidOperation
from imgsvc.pipeline import Grammar, describe

assert Grammar().parse("wobble:times=3/wobble:1").text == "wobble:3/wobble"
try:
    Grammar().parse("woble/wobble:10")
except InvalidOperation as error:
    near, bounds = error.problem.errors
assert "'wobble'" in near.detail and bounds.allowed == "1 to 9" and bounds.pointer == "/1/times"
(entry,) = (entry for entry in describe()["operations"] if entry["name"] == "wobble")
assert entry["description"] == "Wobble the picture." and entry["example"] == "wobble:3"
page = runpy.run_path("scripts/docs/__main__.py")["operations"]()
assert "### wobble" in page and "| 1 | `times` | 1 to 9 | `1` | How often. |" in page
"""

SUITE = """
import pytest
sys.exit(pytest.main(["-q", "-k", "wobble", "-p", "no:cacheprovider", "tests/contracts/test_operations.py"]))
"""


def run(program: str, folder: Path) -> str:
    command = [sys.executable, "-c", FOUND + program, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_grammar_catalogue_and_page_find_it(tmp_path: Path) -> None:
    (tmp_path / "wobble.py").write_text(OPERATION, "utf-8")
    run(GRAMMAR, tmp_path)


def test_the_contract_suite_finds_it(tmp_path: Path) -> None:
    (tmp_path / "wobble.py").write_text(OPERATION, "utf-8")
    told = run(SUITE, tmp_path)
    assert int(told.rpartition(" passed")[0].split()[-1]) > 30
