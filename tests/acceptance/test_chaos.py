"""A short run of the program that `make chaos` runs for long."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(260)  # some 15 s; a machine that is short of CPUs starts servers slowly
def test_nothing_that_was_promised_is_lost_wrong_or_left_over(tmp_path: Path) -> None:
    options = ["--seconds=6", "--kills=2", "--clients=4", "--seed=5", f"--folder={tmp_path}"]
    log = tmp_path / "server.log"
    command = [sys.executable, "-m", "tests.acceptance.chaos", *options, f"--log={log}", "--json"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        try:
            said, errors = run.communicate(timeout=240)
        finally:
            run.terminate()  # where it takes too long: it ends its servers
    report = json.loads(said) if said else {}
    assert run.returncode == 0, (report or errors, log.read_text()[-3000:])
    assert report["server_kills"] >= 2
    assert report["acknowledged"] > 0
