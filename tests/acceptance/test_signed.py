"""A real server with keys: what `imgsvc sign` prints is answered, what is changed is not, and keys change."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.photos import photo
from tests.servers import Server, serve

OLD, NEW = "a:0123456789abcdef0123456789abcdef", "b:fedcba9876543210fedcba9876543210"


def sign(keys: str, *arguments: str) -> str:
    found = subprocess.run(
        [sys.executable, "-m", "imgsvc", "sign", *arguments],
        env={**os.environ, "IMGSVC_SIGNING_KEYS": keys},
        capture_output=True,
        text=True,
        timeout=40,
        check=True,
    )
    return found.stdout.strip()


def status(server: Server, url: str) -> tuple[int, str | None]:
    answer = server.ask("GET", url)
    return answer.status, None if answer.status == 200 else answer.json()["code"]


def test_keys_are_changed_without_breaking_a_link(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serve(data, {"IMGSVC_SIGNING_KEYS": OLD}) as server:
        image = server.json("POST", "/v1/images", photo(400, 300))["id"]
        link = sign(OLD, image, "resize:w=80|webp", "--expires", "1h")
        assert status(server, link) == (200, None)
        assert status(server, link.replace("80x", "81x")) == (403, "signature-invalid")
        assert status(server, link.replace("80x", "80x,filter=lanczos")) == (200, None)
        assert status(server, link.partition("?")[0]) == (403, "signature-invalid")
        assert status(server, link.replace("exp=", "exp=9")) == (403, "signature-invalid")
        job = server.json("POST", "/v1/jobs?ops=webp", photo(40, 30))["id"]
        assert status(server, sign(OLD, job) + "&wait=20") == (200, None)
        assert status(server, sign(OLD, job).replace("sig=", "sig=x")) == (403, "signature-invalid")
    with serve(data, {"IMGSVC_SIGNING_KEYS": f"{NEW},{OLD}"}) as server:
        assert status(server, link) == (200, None)
        assert status(server, sign(f"{NEW},{OLD}", image, "resize:80x/webp")) == (200, None)
    with serve(data, {"IMGSVC_SIGNING_KEYS": NEW}) as server:
        assert status(server, link) == (403, "signature-invalid")
        assert "fedcba98" not in server.log.read_text()
