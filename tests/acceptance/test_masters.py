"""Reduced masters in a whole server: made, read, killed in the middle, kept within their room, gone."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

from PIL import Image

from imgsvc.imaging import master
from tests.acceptance.rendering import made, render, stored
from tests.photos import photo
from tests.servers import Answer, Server, serve, wait_until

SMALL = {"IMGSVC_MASTER_SIDE": "200"}
ORDER = ("resize:390x/png", "resize:120x/png", "resize:60x/webp", "resize:20x/jpeg")


def masters(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = server.json("GET", "/v1/stats")["masters"]
    return found


def steps(answer: Answer) -> set[str]:
    assert answer.status == 200, answer.body
    return {part.partition(";")[0].strip() for part in answer.headers["server-timing"].split(",")}


def files(data: Path) -> list[Path]:
    return [path for path in (data / "masters").rglob("*") if "-" in path.name]


def test_no_picture_depends_on_what_was_asked_for_before(tmp_path: Path) -> None:
    found: list[dict[str, bytes]] = []
    for number, order in enumerate((ORDER, ORDER[::-1])):
        with serve(tmp_path / f"data{number}", SMALL) as server:
            images = [stored(server, photo(400, 300, format=kind)) for kind in ("PNG", "JPEG")]
            found.append({f"{image} {ops}": made(server, image, ops) for ops in order for image in images})
            wait_until(lambda: masters(server)["entries"] == 4)  # within this turn
    assert found[0] == found[1]
    with serve(tmp_path / "data", {"IMGSVC_MASTER_SIDE": "0"}) as server:
        jpeg = stored(server, photo(400, 300))
        assert all(made(server, jpeg, ops) == found[0][f"{jpeg} {ops}"] for ops in ORDER)
        assert masters(server)["misses"] == 0


def test_what_was_made_while_nobody_waited_is_found_by_the_next_server_too(tmp_path: Path) -> None:
    with serve(tmp_path / "data", SMALL) as server:
        image = stored(server, photo(400, 300))
        assert "decode" in steps(render(server, image, "resize:390x"))
        wait_until(lambda: masters(server)["filled"] == 3)
        assert "decode" not in steps(render(server, image, "resize:50x"))
    with serve(tmp_path / "data", SMALL) as server:
        answer = render(server, image, "resize:51x")
        assert "master" in steps(answer)
        assert "decode" not in steps(answer)
        assert masters(server)["broken"] == 0


def test_a_server_that_is_killed_while_a_master_is_written_leaves_no_bad_one(tmp_path: Path) -> None:
    great = io.BytesIO()
    Image.linear_gradient("L").resize((6000, 4000)).convert("RGB").save(great, "JPEG")
    data, widths, cut_off = tmp_path / "data", iter(range(900, 1300)), False
    with serve(data, {"IMGSVC_MASTER_SIDE": "0"}) as server:
        image = stored(server, great.getvalue())
        wanted = {width: made(server, image, f"resize:{width}x/png") for width in (100, 400, 800)}
        server.json("POST", f"/v1/cache:purge?image={image}")
    for _ in range(20):
        with serve(data) as server:
            render(server, image, f"resize:{next(widths)}x/png")
            wait_until(lambda: bool(files(data)))
            server.kill()
            cut_off = any(".part-" in path.name for path in files(data))
        if cut_off:
            break
        shutil.rmtree(data / "masters")
    assert cut_off, "no master was being written when the server was killed"
    with serve(data) as server:
        for width, picture in wanted.items():
            assert made(server, image, f"resize:{width}x/png") == picture
        wait_until(lambda: masters(server)["entries"] == 3)
    for path in files(data):
        whole = path.read_bytes()
        assert master.digest(whole) in path.name
        master.read(whole)


def test_masters_keep_within_their_room(tmp_path: Path) -> None:
    limit = 8 * 200 * 150 * 4
    settings = SMALL | {"IMGSVC_MASTER_BYTES": str(limit)}
    with serve(tmp_path / "data", settings) as server:
        for seed in range(30):
            image = stored(server, photo(400, 300, seed=seed))
            render(server, image, "resize:100x")
            assert masters(server)["bytes"] <= limit
        wait_until(lambda: masters(server)["evictions"] > 0)
        wait_until(lambda: len(files(tmp_path / "data")) == masters(server)["entries"])


def test_masters_go_with_their_image(tmp_path: Path) -> None:
    with serve(tmp_path / "data", SMALL) as server:
        image = stored(server, photo(400, 300))
        render(server, image, "resize:390x")
        wait_until(lambda: masters(server)["entries"] == 3)
        assert server.ask("DELETE", f"/v1/images/{image}").status == 204
        assert (masters(server)["entries"], files(tmp_path / "data")) == (0, [])
