"""Renders under a crowd, out of room, and at the end of their image."""

from __future__ import annotations

import http.client
import resource
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.acceptance.rendering import counts, kept, made, many, render, stored, taken, tasks, way
from tests.photos import photo
from tests.servers import Server, serve, wait_until

HERD = 200
#: Long enough for a herd to come together while the first one's task runs.
SLOWLY = "test-sleep:1/resize:64x/webp"
PIPELINES = [f"resize:{width}x/webp" for width in range(20, 32)]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"IMGSVC_TEST_OPERATIONS": "1", "IMGSVC_RENDER_FAILURES": "600"}
    with serve(tmp_path_factory.mktemp("renders") / "data", settings) as server:
        yield server


def waiting(server: Server, image: str, ops: str) -> http.client.HTTPConnection:
    """A client that has asked and has not been answered yet."""
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=40)
    client.request("GET", f"/r/{image}/{ops}")
    return client


def herd(server: Server, image: str, ops: str, size: int = HERD) -> list[Any]:
    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(lambda _: render(server, image, ops), range(size)))


def until_a_lane_is_at_it(server: Server, before: int) -> None:
    """Or has done it already; `before` there were so many entries."""
    wait_until(
        lambda: (
            any(lane["step"] for lane in server.json("GET", "/v1/workers")["lanes"])
            or counts(server)["entries"] > before
        )
    )


# -- crowds -----------------------------------------------------------------------------------------


def test_two_hundred_misses_of_one_picture_are_one_task(house: Server) -> None:
    image = stored(house, photo(seed=1))
    before = tasks(house)
    answers = herd(house, image, SLOWLY)
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    ways = [way(answer) for answer in answers]
    assert ways.count("miss") == 1
    assert ways.count("shared") > 0
    assert tasks(house) == before + 1


def test_the_task_goes_on_for_the_others_when_its_first_client_hangs_up(house: Server) -> None:
    image = stored(house, photo(seed=2))
    before, misses = tasks(house), counts(house)["misses"]
    first = waiting(house, image, SLOWLY)
    wait_until(lambda: bool(counts(house)["misses"] == misses + 1))
    others = [waiting(house, image, SLOWLY) for _ in range(10)]
    first.close()
    answers = [client.getresponse() for client in others]
    assert [answer.status for answer in answers] == [200] * 10
    assert len({answer.read() for answer in answers}) == 1
    assert tasks(house) == before + 1
    for client in others:
        client.close()


def test_a_task_that_everybody_has_left_is_kept_for_the_next(house: Server) -> None:
    image = stored(house, photo(seed=3))
    before = counts(house)["entries"]
    client = waiting(house, image, SLOWLY)
    until_a_lane_is_at_it(house, before)
    client.close()
    wait_until(lambda: bool(counts(house)["entries"] == before + 1))
    assert way(render(house, image, SLOWLY)) == "hit"


def test_a_herd_on_a_corrupt_picture_is_one_task_and_one_answer(house: Server) -> None:
    whole = photo(400, 300, seed=4)
    image = stored(house, whole[: len(whole) // 2])
    before, files = tasks(house), kept(house.data)
    answers = herd(house, image, "resize:64x/webp", 60)
    assert {(answer.status, answer.json()["code"]) for answer in answers} == {(422, "image-corrupt")}
    assert tasks(house) == before + 1
    # Also when it comes later: the failure is remembered for a while.
    assert render(house, image, "resize:64x/webp").status == 422
    assert tasks(house) == before + 1
    assert kept(house.data) == files


# -- the end of an image ----------------------------------------------------------------------------


def test_what_was_made_of_an_image_goes_with_it(house: Server) -> None:
    image, other = stored(house, photo(seed=5)), stored(house, photo(seed=6))
    many(house, image, PIPELINES)
    made(house, other, PIPELINES[0])
    own = [path for path in kept(house.data) if path.name.startswith(image.removeprefix("img_"))]
    assert len(own) == len(PIPELINES)
    assert house.ask("DELETE", f"/v1/images/{image}").status == 204
    assert not any(path.exists() for path in own)
    assert render(house, image, PIPELINES[0]).status == 404
    assert way(render(house, other, PIPELINES[0])) == "hit"


def test_an_image_that_goes_while_it_is_rendered_leaves_nothing(house: Server) -> None:
    image = stored(house, photo(seed=7))
    files, before = kept(house.data), counts(house)["entries"]
    client = waiting(house, image, SLOWLY)
    until_a_lane_is_at_it(house, before)
    assert house.ask("DELETE", f"/v1/images/{image}").status == 204
    with client.getresponse() as answer:
        assert answer.status in {200, 404}
    client.close()
    wait_until(lambda: kept(house.data) == files)
    assert render(house, image, SLOWLY).status == 404


def test_a_purge_removes_the_renders_and_leaves_the_image(house: Server) -> None:
    image = stored(house, photo(seed=8))
    first = many(house, image, PIPELINES)
    purged = house.json("POST", f"/v1/cache:purge?image={image}")
    assert purged == {"image": image, "purged": len(PIPELINES)}
    assert not [path for path in kept(house.data) if path.name.startswith(image.removeprefix("img_"))]
    answers = [render(house, image, ops) for ops in PIPELINES]
    assert [way(answer) for answer in answers] == ["miss"] * len(PIPELINES)
    assert [answer.body for answer in answers] == first


def test_renders_expire_with_their_image(tmp_path: Path) -> None:
    settings = {"IMGSVC_IMAGE_RETENTION": "3", "IMGSVC_SWEEP_INTERVAL": "0.2"}
    with serve(tmp_path / "data", settings) as server:
        image = stored(server, photo(seed=9))
        made(server, image, PIPELINES[0])
        wait_until(lambda: kept(server.data) == [])
        assert render(server, image, PIPELINES[0]).status == 404
        assert counts(server)["entries"] == 0


# -- room -------------------------------------------------------------------------------------------


@pytest.fixture
def full_disk(house: Server) -> Iterator[Callable[[], None]]:
    """After it was called, workers find no room for files above 100 kB: writing fails in mid-file."""
    lanes = [psutil.Process(lane["pid"]) for lane in house.json("GET", "/v1/workers")["lanes"]]
    before = [lane.rlimit(resource.RLIMIT_FSIZE) for lane in lanes]

    def fill() -> None:
        for lane, (_, hard) in zip(lanes, before, strict=True):
            lane.rlimit(resource.RLIMIT_FSIZE, (100_000, hard))

    yield fill
    for lane, limits in zip(lanes, before, strict=True):
        lane.rlimit(resource.RLIMIT_FSIZE, limits)


def test_a_disk_that_is_full_in_mid_render_is_507_and_leaves_nothing(
    house: Server, full_disk: Callable[[], None]
) -> None:
    image, large = stored(house, photo(400, 300, seed=10)), "resize:300x/png:0"
    files = kept(house.data)
    full_disk()
    refused = render(house, image, large)
    assert (refused.status, refused.json()["code"]) == (507, "insufficient-storage")
    wait_until(lambda: kept(house.data) == files)
    # It is not the picture's fault: what fits is made, and the other one too as soon as there is room.
    assert render(house, image, "resize:30x/png").status == 200


def test_what_was_refused_for_want_of_room_is_made_when_there_is_some(
    house: Server, full_disk: Callable[[], None]
) -> None:
    image = stored(house, photo(400, 300, seed=11))
    large = "resize:320x/png:0"
    full_disk()
    assert render(house, image, large).status == 507
    for lane in house.json("GET", "/v1/workers")["lanes"]:
        process = psutil.Process(lane["pid"])
        process.rlimit(
            resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, process.rlimit(resource.RLIMIT_FSIZE)[1])
        )
    assert len(made(house, image, large)) > 100_000


def test_the_cache_stays_within_its_cap_and_keeps_what_was_used_last(tmp_path: Path) -> None:
    cap = 1_000_000
    pipelines = [f"resize:{width}x/png" for width in range(40, 240)]
    with serve(tmp_path / "data", {"IMGSVC_CACHE_BYTES": str(cap)}) as server:
        image = stored(server, photo(320, 240, seed=12))
        under = pipelines[:8]
        many(server, image, under)
        assert counts(server)["evictions"] == 0
        most = 0
        for ops in pipelines:
            made(server, image, ops)
            # In use all the time.
            assert way(render(server, image, under[0])) == "hit"
            most = max(most, taken(server.data), counts(server)["bytes"])
        found = counts(server)
        assert found["evictions"] > 100
        assert found["bytes"] <= cap
        wait_until(lambda: len(kept(server.data)) == found["entries"])
        assert cap / 2 < most <= cap
        assert way(render(server, image, pipelines[-1])) == "hit"
        assert way(render(server, image, under[1])) == "miss"
