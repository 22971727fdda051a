"""Renders from reduced masters: the same pictures, sooner."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from tests.photos import photo
from tests.unit.api.served import api, running

pytestmark = pytest.mark.anyio

JPEG = photo(400, 300)
PNG = photo(400, 300, format="PNG", mode="RGBA")
EIGHTH, HALF, ALL = "resize:20x", "resize:120x/png", "resize:390x"


@asynccontextmanager
async def served(folder: Path, **chosen: object) -> AsyncIterator[httpx2.AsyncClient]:
    lasting = {"jobs": f"sqlite://{folder}/jobs.sqlite3", "master_side": 200}
    async with running(api(folder, None, **(lasting | chosen))) as door:
        yield door


async def stored(door: httpx2.AsyncClient, content: bytes = JPEG) -> str:
    answer = await door.post("/v1/images", content=content)
    assert answer.status_code in {200, 201}, answer.text
    return str(answer.json()["id"])


async def rendered(door: httpx2.AsyncClient, image: str, ops: str) -> tuple[bytes, list[str]]:
    """A picture, and the steps of its making."""
    answer = await door.get(f"/r/{image}/{ops}")
    assert answer.status_code == 200, answer.text
    timing = [part.partition(";")[0] for part in answer.headers["server-timing"].split(", ")]
    return answer.content, timing


async def masters(door: httpx2.AsyncClient) -> dict[str, int]:
    found: dict[str, int] = (await door.get("/v1/stats")).json()["masters"]
    return found


async def entries(door: httpx2.AsyncClient, count: int) -> None:
    """Returns when so many masters are kept."""
    async with asyncio.timeout(10):
        while (await masters(door))["entries"] != count:  # noqa: ASYNC110  # what an operator sees
            await asyncio.sleep(0.005)


def files(folder: Path) -> list[Path]:
    return [path for path in (folder / "masters").rglob("*") if path.is_file()]


async def test_another_width_of_a_picture_is_made_from_what_the_first_has_kept(tmp_path: Path) -> None:
    async with served(tmp_path, spare_tasks=0) as door:
        image = await stored(door)
        _, first = await rendered(door, image, EIGHTH)
        assert first == ["cache", "queue", "decode", "resize", "encode", "store", "master"]
        _, second = await rendered(door, image, "grayscale/resize:22x")
        assert second == ["cache", "queue", "master", "grayscale", "resize", "encode", "store"]
        told = await masters(door)
        assert (told["hits"], told["misses"], told["entries"], told["filled"]) == (1, 1, 1, 0)


async def test_every_other_master_is_made_while_nobody_waits(tmp_path: Path) -> None:
    async with served(tmp_path) as door:
        image = await stored(door)
        await rendered(door, image, ALL)
        await entries(door, 3)
        for ops in (EIGHTH, HALF):
            _, steps = await rendered(door, image, ops)
            assert "decode" not in steps
        stats = (await door.get("/v1/stats")).json()
        assert stats["masters"]["filled"] == stats["totals"]["spare"]["succeeded"] == 3
        assert stats["masters"]["bytes"] >= sum(len(path.read_bytes()) for path in files(tmp_path))


@pytest.mark.parametrize("content", [JPEG, PNG])
async def test_the_order_in_which_pictures_are_asked_for_changes_none_of_them(
    tmp_path: Path, content: bytes
) -> None:
    orders = ([EIGHTH, HALF, ALL], [ALL, HALF, EIGHTH], [HALF, EIGHTH, ALL])
    found = []
    for number, order in enumerate(orders):
        for spare in (0, 100):
            async with served(tmp_path / f"{number}-{spare}", spare_tasks=spare) as door:
                image = await stored(door, content)
                found.append({ops: (await rendered(door, image, ops))[0] for ops in order})
    assert all(pictures == found[0] for pictures in found)


async def test_a_jpegs_pictures_are_what_they_are_without_masters(tmp_path: Path) -> None:
    pictures = []
    for side in (0, 200):
        async with served(tmp_path / f"{side}", master_side=side) as door:
            image = await stored(door)
            pictures.append([(await rendered(door, image, ops))[0] for ops in (ALL, HALF, EIGHTH)])
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("chosen", [{"master_side": 0}, {"master_bytes": 0}, {"master_side": 400}])
async def test_there_may_be_no_masters(tmp_path: Path, chosen: dict[str, int]) -> None:
    async with served(tmp_path, **chosen) as door:
        for content in (JPEG, PNG):
            image = await stored(door, content)
            _, steps = await rendered(door, image, EIGHTH)
            assert steps == ["cache", "queue", "decode", "resize", "encode", "store"]
        assert files(tmp_path) == []
        assert set((await door.get("/v1/stats")).json()["totals"]["spare"].values()) == {0}


async def test_masters_that_are_not_wanted_any_more_go_with_the_next_start(tmp_path: Path) -> None:
    async with served(tmp_path) as door:
        await rendered(door, await stored(door), ALL)
        await entries(door, 3)
    async with served(tmp_path, master_side=0) as door:
        await entries(door, 0)
    assert files(tmp_path) == []


@pytest.mark.parametrize("remove", ["delete", "purge"])
async def test_masters_go_with_their_image_and_its_renders(tmp_path: Path, remove: str) -> None:
    async with served(tmp_path) as door:
        image, other = await stored(door), await stored(door, PNG)
        for each in (image, other):
            await rendered(door, each, ALL)
        await entries(door, 4)
        if remove == "delete":
            assert (await door.delete(f"/v1/images/{image}")).status_code == 204
        else:
            # Only pictures count.
            assert (await door.post(f"/v1/cache:purge?image={image}")).json()["purged"] == 1
        assert (await masters(door))["entries"] == len(files(tmp_path)) == 1


async def test_masters_are_taken_up_by_the_next_server(tmp_path: Path) -> None:
    async with served(tmp_path) as door:
        image = await stored(door)
        await rendered(door, image, ALL)
        await entries(door, 3)
    async with served(tmp_path) as door:
        _, steps = await rendered(door, image, EIGHTH)
        assert "decode" not in steps
        assert (await masters(door))["broken"] == 0


async def test_a_master_that_a_power_cut_has_left_without_its_bytes_is_not_trusted(tmp_path: Path) -> None:
    async with served(tmp_path, spare_tasks=0) as door:
        image = await stored(door)
        wanted, _ = await rendered(door, image, EIGHTH)
        await door.post(f"/v1/cache:purge?image={image}")
        await rendered(door, image, "resize:22x")
    (kept,) = files(tmp_path)
    kept.write_bytes(kept.read_bytes()[:512] + bytes(kept.stat().st_size - 512))
    async with served(tmp_path, spare_tasks=0) as door:
        picture, steps = await rendered(door, image, EIGHTH)
        assert (picture, "decode" in steps) == (wanted, True)
        assert (await masters(door))["broken"] == 1
        assert files(tmp_path) != [kept]


async def test_a_master_that_vanishes_is_made_again(tmp_path: Path) -> None:
    async with served(tmp_path, spare_tasks=0) as door:
        image = await stored(door)
        await rendered(door, image, EIGHTH)
        (kept,) = files(tmp_path)
        kept.unlink()
        _, steps = await rendered(door, image, "resize:22x")
        assert "decode" in steps
        _, steps = await rendered(door, image, "resize:23x")
        assert "decode" not in steps


async def test_masters_keep_within_their_room(tmp_path: Path) -> None:
    eighth = 50 * 38 * 4
    async with served(tmp_path, spare_tasks=0, master_bytes=5 * eighth) as door:
        for seed in range(8):
            image = await stored(door, photo(400, 300, seed=seed))
            await rendered(door, image, EIGHTH)
            told = await masters(door)
            assert told["bytes"] <= told["limit_bytes"]
        assert told["evictions"] > 0
        assert 0 < told["entries"] < 8


async def test_a_file_of_a_folder_has_masters_too(tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "beach.jpg").write_bytes(JPEG)
    async with served(tmp_path / "data", sources_dir=sources) as door:
        _, first = await rendered(door, "@beach.jpg", ALL)
        assert "decode" in first
        await entries(door, 3)
        picture, second = await rendered(door, "@beach.jpg", "resize:22x")
        assert "master" in second
        assert "decode" not in second
        (sources / "beach.jpg").write_bytes(photo(400, 300, seed=1))
        other, steps = await rendered(door, "@beach.jpg", "resize:22x")
        assert "decode" in steps
        assert other != picture
        await entries(door, 6)


async def test_a_broken_picture_is_refused_once_and_leaves_nothing(tmp_path: Path) -> None:
    async with served(tmp_path) as door:
        image = await stored(door, JPEG[: len(JPEG) // 2])
        answer = await door.get(f"/r/{image}/{EIGHTH}")
        assert (answer.status_code, answer.json()["code"]) == (422, "image-corrupt")
        assert set((await door.get("/v1/stats")).json()["totals"]["spare"].values()) == {0}
    assert files(tmp_path) == []
