"""Presets with a real server and a real file, over restarts."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from tests.servers import Server, serve

Photo = Callable[..., bytes]

BEFORE = """
[presets]
avatar = "resize:128x128,fit=cover/webp:80"

[presets.card]
ops = ["resize:300x200,fit=cover", "sharpen", "jpeg:85,progressive"]
description = "A picture in a list"
"""
KEY = {"Idempotency-Key": "once"}
AFTER = '[presets]\navatar = "resize:64x64,fit=cover/png"\n'


def shape(data: bytes) -> tuple[str | None, tuple[int, int]]:
    with Image.open(io.BytesIO(data)) as image:
        return image.format, image.size


def queued(server: Server, photo: bytes) -> Any:  # noqa: ANN401  # a document
    """A job with a preset, in a queue that is paused."""
    server.json("POST", "/v1/queue:pause")
    answer = server.ask("POST", "/v1/jobs?ops=preset:avatar", photo, KEY)
    assert (answer.status, answer.json()["status"]) == (202, "queued")
    return answer.json()


def test_a_changed_preset_is_a_new_picture_and_changes_no_work_that_was_promised(
    tmp_path: Path, photo: Photo
) -> None:
    file, source = tmp_path / "imgsvc.toml", photo(400, 300)
    file.write_text(BEFORE)
    with serve(tmp_path / "data") as server:
        avatar, card = server.json("GET", "/v1/presets")["presets"]
        assert (card["description"], card["spec"]) == (
            "A picture in a list",
            "resize:300x200,fit=cover/sharpen/jpeg:85,progressive",
        )
        image = server.json("POST", "/v1/images", source)["id"]
        link, for_ever = [avatar[url].replace("{image}", image) for url in ("url", "immutable_url")]
        first = server.ask("GET", link)
        assert shape(first.body) == ("WEBP", (128, 128))
        assert first.headers["cache-control"] == "public, max-age=3600"
        assert server.ask("GET", for_ever).headers["cache-control"] == "public, max-age=31536000, immutable"
        assert shape(server.ask("POST", "/v1/process?ops=preset:card", source).body) == ("JPEG", (300, 200))
        job = queued(server, source)
        file.write_text("broken, but nobody reads it before the next start")
        assert server.ask("GET", link).status == 200
    file.write_text(AFTER)
    with serve(tmp_path / "data") as server:
        known = {"If-None-Match": first.headers["etag"]}
        changed = server.ask("GET", link, headers=known)
        assert (changed.status, shape(changed.body)) == (200, ("PNG", (64, 64)))
        gone = server.ask("GET", for_ever)
        assert (gone.status, gone.json()["code"]) == (422, "invalid-operation")
        (now,) = server.json("GET", "/v1/presets")["presets"]
        assert gone.json()["errors"][0]["allowed"] == [f"avatar@{now['hash']}"]
        repeated = server.ask("POST", "/v1/jobs?ops=preset:avatar", source, KEY)
        assert (repeated.status, repeated.headers["idempotent-replayed"]) == (202, "true")
        assert repeated.json()["id"] == job["id"]
        server.json("POST", "/v1/queue:resume")
        made = server.ask("GET", f"/v1/jobs/{job['id']}/result?wait=20")
        assert shape(made.body) == ("WEBP", (128, 128))
        # What was put there for the old meaning serves whoever writes that out.
        kept = server.ask("GET", f"/r/{image}/{avatar['spec']}")
        assert kept.body == first.body
        assert server.json("GET", "/v1/stats")["cache"]["hits"] == 1


def test_a_repeat_whose_preset_is_gone_is_refused_and_what_it_had_made_stays(
    tmp_path: Path, photo: Photo
) -> None:
    (tmp_path / "imgsvc.toml").write_text(BEFORE)
    with serve(tmp_path / "data") as server:
        batch = server.json("POST", "/v1/batches", b'{"name":"one"}')["id"]
        query = f"batch={batch}&reference=a&ops=preset:card"
        member = server.ask("POST", f"/v1/jobs?{query}", photo(40, 30)).json()
        first = server.ask("POST", "/v1/jobs?ops=preset:card", photo(), KEY).json()
    (tmp_path / "imgsvc.toml").write_text(AFTER)
    with serve(tmp_path / "data") as server:
        again = server.ask("POST", "/v1/jobs?ops=preset:card", photo(), KEY)
        assert (again.status, again.json()["code"]) == (422, "invalid-operation")
        assert shape(server.ask("GET", f"/v1/jobs/{first['id']}/result?wait=20").body)[0] == "JPEG"
        # A reference in the query is known before operations are read.
        assert server.ask("POST", f"/v1/jobs?{query}", photo(40, 30)).json()["id"] == member["id"]


def test_where_only_presets_are_rendered_a_page_can_ask_for_nothing_else(
    tmp_path: Path, photo: Photo
) -> None:
    (tmp_path / "renders.toml").write_text(BEFORE)
    settings = {"IMGSVC_CONFIG": "renders.toml", "IMGSVC_PRESETS_ONLY": "1"}
    with serve(tmp_path / "data", settings) as server:
        image = server.json("POST", "/v1/images", photo(400, 300))["id"]
        assert server.ask("HEAD", f"/r/{image}/preset:card").status == 200
        refused = server.ask("GET", f"/r/{image}/resize:3000x3000,enlarge/png")
        assert (refused.status, refused.json()["code"]) == (422, "invalid-operation")
        assert refused.json()["errors"][0]["allowed"] == ["preset:avatar", "preset:card"]


def run(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "imgsvc", *arguments],
        cwd=folder,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


def test_a_file_that_is_wrong_stops_the_start_before_anything_is_touched(tmp_path: Path) -> None:
    file = tmp_path / "imgsvc.toml"
    file.write_text('[presets]\navatar = "resise:128x"\nsmall = "preset:small"\n[prests]\n')
    start = ("serve", "--port", "0", "--data-dir", "data")
    found = run(tmp_path, *start)
    assert found.returncode == 2
    assert found.stderr == f"imgsvc: {file}: there is no table 'prests'; did you mean 'presets'?\n"
    file.write_text(file.read_text().replace("[prests]\n", ""))
    found = run(tmp_path, *start)
    assert found.returncode == 2
    first, second = found.stderr.splitlines()
    assert f"{file}: preset 'avatar': there is no operation 'resise'; did you mean 'resize'" in first
    assert second == f"imgsvc: {file}: preset 'small': it would be a part of itself: small → small"
    missing = run(tmp_path, *start, IMGSVC_CONFIG="missing.toml")
    assert missing.returncode == 2
    assert f"IMGSVC_CONFIG='{tmp_path}/missing.toml': can't be read: No such file" in missing.stderr
    nothing = run(tmp_path, *start, IMGSVC_CONFIG="none", IMGSVC_PRESETS_ONLY="1")
    assert nothing.returncode == 2
    assert "IMGSVC_PRESETS_ONLY=1: there are no presets" in nothing.stderr
    assert not (tmp_path / "data").exists()


def test_the_command_line_knows_the_presets_of_the_folder(tmp_path: Path, photo: Photo) -> None:
    (tmp_path / "imgsvc.toml").write_text(BEFORE)
    (tmp_path / "a.jpg").write_bytes(photo(400, 300))
    assert run(tmp_path, "process", "a.jpg", "-p", "preset:card", "-o", "out.jpg").returncode == 0
    assert shape((tmp_path / "out.jpg").read_bytes()) == ("JPEG", (300, 200))
    unknown = run(tmp_path, "process", "a.jpg", "-p", "preset:cart", "-o", "b.jpg")
    assert unknown.returncode == 2
    assert "there is no preset 'cart'; did you mean 'card'?" in unknown.stderr
    health = run(tmp_path, "healthcheck", "--url", "http://127.0.0.1:1/", IMGSVC_CONFIG="missing.toml")
    assert "missing.toml" not in health.stderr, "a running service does not care what the file has become"


def test_the_file_can_be_checked_before_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "imgsvc.toml"
    file.write_text(BEFORE)
    listed = run(tmp_path, "config", "presets")
    assert listed.returncode == 0
    first, second = [line.split() for line in listed.stdout.splitlines()]
    assert second[1] == "resize:300x200,fit=cover/sharpen/jpeg:85,progressive"
    shown = json.loads(run(tmp_path, "config", "presets", "--json").stdout)
    assert [f"{name}@{preset['hash']}" for name, preset in shown.items()] == [first[0], second[0]]
    assert shown["card"]["description"] == "A picture in a list"
    assert run(tmp_path, "config", "presets", IMGSVC_CONFIG="none").stdout == ""
    file.write_text('[presets]\navatar = "blur:200"\n')
    broken = run(tmp_path, "config", "presets")
    assert broken.returncode == 2
    assert broken.stderr == (
        f"imgsvc: {file}: preset 'avatar': sigma of blur can't be 200.0; allowed is 0.3 to 100\n"
    )
