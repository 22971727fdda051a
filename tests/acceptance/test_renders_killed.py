"""What a killed server has left of its renders, and what was done to them before the next one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from random import Random

import pytest

from tests.acceptance.rendering import counts, is_sound, kept, made, many, render, stored, tasks, way
from tests.photos import photo
from tests.servers import Server, serve, wait_until

PICTURE = photo(640, 480, seed=41)
#: Some of 0.5 MB, so that files are met while they are written.
PIPELINES = [
    *(f"resize:{width}x/png:0" for width in range(420, 480, 2)),
    *(f"resize:{width}x/webp:{width % 60 + 30}" for width in range(40, 100, 2)),
]
ROUNDS = 3


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, bytes]]:
    """What an undisturbed server answers."""
    with serve(tmp_path_factory.mktemp("undisturbed") / "data") as server:
        image = stored(server, PICTURE)
        yield dict(zip(PIPELINES, many(server, image, PIPELINES), strict=True))


def ask_in_vain(server: Server, image: str, pipelines: list[str]) -> None:
    for ops in pipelines:
        with suppress(OSError, HTTPException):  # the server is killed under it
            render(server, image, ops)


def kill_in_mid_fill(server: Server, image: str, order: list[str]) -> None:
    """SIGKILL while eight clients wait for renders of which some have been written."""
    before = len(kept(server.data))
    with ThreadPoolExecutor(8) as clients:
        for number in range(8):
            clients.submit(ask_in_vain, server, image, order[number::8])
        wait_until(lambda: len(kept(server.data)) >= before + 4 or all_there(server, order))
        server.kill()


def all_there(server: Server, order: list[str]) -> bool:
    return len(kept(server.data)) >= len(order)


def half_written(data: Path, file: Path) -> Path:
    """What a worker leaves that is killed while it writes."""
    part = file.with_name(f"{file.name}.part-0a1b2c3d")
    part.write_bytes(file.read_bytes()[:1000])
    return part


@pytest.mark.timeout(200)  # five starts: a busy machine takes its time
def test_a_server_killed_in_mid_fill_leaves_nothing_bad_in_the_cache(
    tmp_path: Path, right: dict[str, bytes]
) -> None:
    data, random = tmp_path / "data", Random(7)
    with serve(data) as server:
        image = stored(server, PICTURE)
        kill_in_mid_fill(server, image, random.sample(PIPELINES, len(PIPELINES)))
    for _ in range(ROUNDS - 1):
        half_written(data, kept(data)[0])
        with serve(data) as server:
            assert all(is_sound(file) for file in _settled(server))
            kill_in_mid_fill(server, image, random.sample(PIPELINES, len(PIPELINES)))
    with serve(data) as server:
        survivors = len(_settled(server))
        assert 4 <= survivors < len(PIPELINES)
        assert dict(zip(PIPELINES, many(server, image, PIPELINES), strict=True)) == right
        found = counts(server)
        assert (found["broken"], found["hits"]) == (0, survivors)
        assert len(kept(data)) == found["entries"] == len(PIPELINES)
    assert all(is_sound(file) for file in kept(data))


def _settled(server: Server) -> list[Path]:
    """The files of a cache that has been taken up: what the service knows of, and nothing beside."""
    wait_until(
        lambda: len(kept(server.data)) == counts(server)["entries"],
        explain=lambda: f"{counts(server)}, {[path.name for path in kept(server.data)]}",
    )
    return kept(server.data)


def a_flipped_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def zeroes(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def cut_short(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def grown(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\0")


def lost(file: Path) -> None:
    file.unlink()


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def anothers(file: Path) -> None:
    """Whole, and of the same format: only the hash can tell."""
    other = next(path for path in kept(file.parents[2].parent) if path != file)
    file.write_bytes(other.read_bytes())


#: And how many of its files the service must have found to be broken; what is lost is not seen at all.
HARMS: dict[Callable[[Path], None], int] = {
    a_flipped_bit: 1,
    zeroes: 1,
    cut_short: 1,
    emptied: 1,
    grown: 1,
    anothers: 1,
    lost: 0,
    a_folder: 0,
}


def test_what_was_damaged_while_the_server_was_down_is_made_anew_and_never_served(
    tmp_path: Path, right: dict[str, bytes]
) -> None:
    data = tmp_path / "data"
    some = PIPELINES[: len(HARMS)]
    with serve(data) as server:
        image = stored(server, PICTURE)
        many(server, image, some)
        server.kill()
    files = kept(data)
    assert len(files) == len(some)
    for harm, file in zip(HARMS, files, strict=True):
        harm(file)
    with serve(data) as server:
        again = [render(server, image, ops) for ops in some]
        assert [answer.body for answer in again] == [right[ops] for ops in some]
        assert {way(answer) for answer in again} == {"miss"}
        assert counts(server)["broken"] == sum(HARMS.values())
        wait_until(lambda: [is_sound(file) for file in kept(data)] == [True] * len(some))
        assert [way(render(server, image, ops)) for ops in some] == ["hit"] * len(some)


def test_what_was_put_beside_the_cache_is_removed_and_its_own_are_hits_after_a_restart(
    tmp_path: Path, right: dict[str, bytes]
) -> None:
    data = tmp_path / "data"
    some = PIPELINES[:3]
    with serve(data) as server:
        image = stored(server, PICTURE)
        many(server, image, some)
    own = kept(data)
    half_written(data, own[0])
    shutil.copy(own[1], own[1].with_name(own[1].name.rpartition("-")[0]))
    own[2].with_name("readme").write_text("what is this?")
    own[2].with_name(f"{own[2].name}-and-more").write_bytes(b"")
    with serve(data) as server:
        assert [made(server, image, ops) for ops in some] == [right[ops] for ops in some]
        assert (counts(server)["hits"], tasks(server)) == (3, 0)
        wait_until(lambda: kept(data) == own)


def test_a_cache_that_has_become_smaller_keeps_what_was_used_last(tmp_path: Path) -> None:
    data, some = tmp_path / "data", PIPELINES[-12:]
    with serve(data) as server:
        image = stored(server, PICTURE)
        for ops in some:
            made(server, image, ops)
        room = counts(server)["bytes"]
        # Asked for again: it is the youngest from now on, after a restart too.
        assert way(render(server, image, some[0])) == "hit"
    with serve(data, {"IMGSVC_CACHE_BYTES": str(room // 2)}) as server:
        wait_until(lambda: len(kept(data)) == 6)
        ways = [way(render(server, image, ops)) for ops in [some[0], *some[-5:]]]
        assert ways == ["hit"] * 6
        assert way(render(server, image, some[1])) == "miss"


@pytest.mark.timeout(120)
def test_masters_that_were_being_made_when_the_server_was_killed_change_no_picture(tmp_path: Path) -> None:
    data, large = tmp_path / "data", photo(2600, 2000, seed=42, quality=80)
    widths = [f"resize:{width}x/webp" for width in (100, 200, 400, 800)]
    with serve(tmp_path / "undisturbed", {"IMGSVC_MASTER_SIDE": "0"}) as server:
        without = many(server, stored(server, large), widths)
        assert kept(server.data, "masters") == []
    with serve(data) as server:
        image = stored(server, large)
        made(server, image, widths[0])
        # One of three: the others are being made while nobody waits.
        wait_until(lambda: bool(kept(data, "masters")))
        server.kill()
    half_written(data, kept(data, "masters")[0])
    with serve(data) as server:
        assert many(server, image, widths) == without
        wait_until(
            lambda: len(kept(data, "masters")) == server.json("GET", "/v1/stats")["masters"]["entries"] == 3
        )
