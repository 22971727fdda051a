"""The operations that exist for outside tests, each in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import psutil
import pytest

RUN = """
import resource, signal, sys
from PIL import Image
from imgsvc.operations import Context
from imgsvc.pipeline import Grammar
from imgsvc.raster.geometry import Size

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit("a handler ran"))
(operation,) = Grammar(testing=True).parse(sys.argv[1]).operations
print("begins", flush=True)
try:
    image = operation.apply(Image.new("L", (3, 2)), Context(size=Size(3, 2)))
except MemoryError:
    sys.exit(42)
assert image.size == (3, 2)
"""


def run(ops: str) -> int:
    done = subprocess.run([sys.executable, "-c", RUN, ops], check=False, capture_output=True, timeout=30)
    return done.returncode


@pytest.mark.parametrize(
    ("ops", "code"),
    [
        ("test-sleep:0", 0),
        ("test-sleep:0.1", 0),
        ("test-spin:0", 0),
        ("test-spin:0.2", 0),
        ("test-memory:1", 0),
        ("test-memory:50000000", 0),
        ("test-memory:4000000000", 42),
        ("test-bug", 1),
        ("test-crash:exit", 3),
        ("test-crash:kill", -signal.SIGKILL),
        ("test-crash:segv", -signal.SIGSEGV),
    ],
)
def test_it_ends_as_it_says(ops: str, code: int) -> None:
    assert run(ops) == code


def test_spinning_is_deaf_to_signals_until_it_ends() -> None:
    command = [sys.executable, "-c", RUN, "test-spin:1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n"
        meter, deadline = psutil.Process(process.pid), time.monotonic() + 20
        spun = meter.cpu_times().user + 0.2
        while meter.cpu_times().user < spun and time.monotonic() < deadline:
            time.sleep(0.01)
        start = time.monotonic()
        process.terminate()
        _, told = process.communicate(timeout=30)
        assert "a handler ran" in told
        assert time.monotonic() - start > 0.3
