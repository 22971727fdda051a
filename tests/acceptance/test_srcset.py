"""Pictures in several widths and formats, from a real server, also one that is killed in the middle."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from PIL import Image

from tests.photos import picture
from tests.servers import Server, serve, wait_until

Photo = Callable[..., bytes]

WIDTHS = (320, 640, 960, 4000)


class Links(HTMLParser):
    """Every link of a snippet with the width and the type that it promises."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, int, str | None]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        kind = given.get("type") if tag == "source" else None
        for candidate in (given.get("srcset") or "").split(", "):
            link, _, width = candidate.partition(" ")
            if link:
                self.found.append((link, int(width.removesuffix("w")), kind))


def hero(ops: str, *widths: int) -> str:
    return quote(json.dumps({"hero": {"ops": ops, "widths": widths}}))


def check(server: Server, job: Any, *, format: str = "JPEG") -> None:  # noqa: ANN401  # JSON
    """Every link of the page leads to a picture of that type and width."""
    (shown,) = job["pictures"]
    links = Links(shown["html"]).found
    assert len(links) == len(job["results"])
    for link, width, kind in links:
        answer = server.ask("GET", urlsplit(link).path)
        assert answer.status == 200
        assert kind in {None, answer.headers["content-type"]}
        with Image.open(io.BytesIO(answer.body)) as made:
            made.load()
            assert made.width == width
            assert kind is not None or made.format == format


def ended(server: Server, job: str) -> Any:  # noqa: ANN401  # JSON
    wait_until(lambda: server.json("GET", f"/v1/jobs/{job}")["status"] in {"succeeded", "failed"})
    return server.json("GET", f"/v1/jobs/{job}")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Any:  # noqa: ANN401  # a generator
    settings = {"IMGSVC_PUBLIC_URL": "https://img.example.org", "IMGSVC_MAX_OUTPUTS": "12"}
    with serve(tmp_path_factory.mktemp("srcset") / "data", settings) as running:
        yield running


def test_a_page_finds_every_width_in_every_format(house: Server, photo: Photo) -> None:
    job = house.json("POST", f"/v1/jobs?outputs={hero('resize:1200x/auto', *WIDTHS)}", photo(1600, 1200))
    done = ended(house, job["id"])
    assert done["status"] == "succeeded"
    assert [output["name"] for output in done["outputs"]] == [
        f"hero-{width}.{extension}" for width in (960, 640, 320) for extension in ("avif", "webp", "jpg")
    ]
    assert done["pictures"][0]["src"].startswith(f"https://img.example.org/v1/jobs/{job['id']}/results/")
    check(house, done)


def test_a_result_more_than_the_settings_allow_is_refused(house: Server, photo: Photo) -> None:
    answer = house.ask("POST", f"/v1/jobs?outputs={hero('auto', *WIDTHS, 5000)}", photo())
    assert (answer.status, answer.json()["code"]) == (422, "invalid-parameter")
    assert "15 results" in answer.json()["detail"]


def test_an_animation_moves_in_every_format(house: Server) -> None:
    file = io.BytesIO()
    frames = [picture(80, 60, seed=seed) for seed in range(3)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=100, loop=0)
    job = house.json("POST", f"/v1/jobs?outputs={hero('auto', 20, 40)}", file.getvalue())
    done = ended(house, job["id"])
    check(house, done, format="GIF")
    assert [source["type"] for source in done["pictures"][0]["sources"]] == ["image/webp", "image/gif"]
    for result in done["results"]:
        with Image.open(io.BytesIO(house.ask("GET", result["url"]).body)) as made:
            assert getattr(made, "n_frames", 1) == 3


def test_every_step_is_timed_under_its_output(house: Server, photo: Photo) -> None:
    job = house.json("POST", f"/v1/jobs?outputs={hero('grayscale/jpeg', *WIDTHS)}", photo(1600, 1200))
    steps = [(step["output"], step["op"]) for step in ended(house, job["id"])["timings"]["steps"]]
    assert [step for step in steps if step[1] not in {"store", "encode"}] == [
        (None, "decode"),
        ("hero-960.jpg", "grayscale"),
        *((f"hero-{width}.jpg", "resize") for width in (960, 640, 320)),
    ]
    timing = house.ask("GET", f"/v1/jobs/{job['id']}/results/hero-320.jpg").headers["server-timing"]
    assert [entry.partition(";")[0] for entry in timing.split(", ")] == [
        *("queue", "decode", "resize", "encode", "store")
    ]


def test_an_image_with_alpha_keeps_it_in_every_format(house: Server, photo: Photo) -> None:
    source = photo(800, 600, format="PNG", mode="RGBA")
    job = house.json("POST", f"/v1/jobs?outputs={hero('auto', 200, 400)}", source)
    done = ended(house, job["id"])
    check(house, done, format="PNG")
    for result in done["results"]:
        with Image.open(io.BytesIO(house.ask("GET", result["url"]).body)) as made:
            assert made.has_transparency_data


@pytest.mark.parametrize("while_it_runs", [False, True])
def test_a_server_that_is_killed_meanwhile_gives_the_same_pictures(
    tmp_path: Path, photo: Photo, *, while_it_runs: bool
) -> None:
    settings = {"IMGSVC_TEST_OPERATIONS": "1"}
    ops = "test-sleep:0.6/resize:800x/auto" if while_it_runs else "resize:800x/auto"
    with serve(tmp_path / "data", settings) as server:
        if not while_it_runs:
            server.json("POST", "/v1/queue:pause")
        job = server.json("POST", f"/v1/jobs?outputs={hero(ops, *WIDTHS)}", photo(1600, 1200))
        if while_it_runs:
            wait_until(lambda: server.json("GET", f"/v1/jobs/{job['id']}")["status"] == "running")
        server.kill()
    with serve(tmp_path / "data", settings) as server:
        server.json("POST", "/v1/queue:resume")
        done = ended(server, job["id"])
        assert done["status"] == "succeeded"
        assert done["attempts"] == (2 if while_it_runs else 1)
        assert done["outputs"] == job["outputs"]
        assert len(done["results"]) == 6
        check(server, done)
        document = done["pictures"]
        server.kill()
    with serve(tmp_path / "data", settings) as server:
        assert server.json("GET", f"/v1/jobs/{job['id']}")["pictures"] == document
