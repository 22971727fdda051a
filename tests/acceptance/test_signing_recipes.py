"""The programs of docs/signing.md make links that the service's own check lets in."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from imgsvc.signing import Keyring

PAGE = (Path(__file__).parents[2] / "docs" / "signing.md").read_text()
RING = Keyring.parse("web:0123456789abcdef0123456789abcdef")
COMMANDS = {"python": [sys.executable], "js": ["node"], "php": ["php"], "sh": ["sh"]}
NEEDS = {"python": (), "js": ("node",), "php": ("php",), "sh": ("openssl", "base64")}


@pytest.mark.parametrize("language", list(COMMANDS))
def test_a_recipe_makes_a_link_that_is_let_in(language: str, tmp_path: Path) -> None:
    missing = [program for program in NEEDS[language] if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is missing")
    (program,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    file = tmp_path / f"recipe.{language}"
    file.write_text(program)
    before = int(time.time())
    found = subprocess.run(
        [*COMMANDS[language], str(file)], capture_output=True, text=True, timeout=30, check=True
    )
    url = urlsplit(found.stdout.strip())
    until = RING.check(dict(parse_qsl(url.query)), [unquote(url.path)], now=time.time())
    assert until is not None
    assert before + 3600 <= until <= time.time() + 3600
