"""The page about operations says what the code does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_about_operations_is_current() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "docs"), "--check", "operations"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
