"""One data directory, one server."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.servers import Server


def test_a_second_server_on_the_same_directory_says_who_has_it_and_exits_with_1(server: Server) -> None:
    environment = {**os.environ, "IMGSVC_DATA_DIR": str(server.data), "IMGSVC_PORT": "0"}
    second = subprocess.run(
        [sys.executable, "-m", "imgsvc", "serve"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert second.returncode == 1
    assert str(server.pid) in second.stderr
    assert "Traceback" not in second.stderr
    assert server.ask("GET", "/readyz").status == 200
