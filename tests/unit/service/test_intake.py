"""Uploads arrive whole, or leave nothing behind."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from imgsvc.errors import BodyTooLarge, EmptyFile, InsufficientStorage, StorageUnavailable
from imgsvc.service import Intake, Staged
from imgsvc.service.intake import HELD, LEAST, PIECE

pytestmark = pytest.mark.anyio


def intake(folder: Path, limit: int = 10 * PIECE) -> Intake:
    return Intake(folder, limit=limit, room=lambda _size: None)


def found(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_an_upload_is_counted_hashed_and_written(tmp_path: Path) -> None:
    chunks = [b"a" * 1000, b"b", b"c" * 50]
    async with intake(tmp_path).begin() as incoming:
        for chunk in chunks:
            await incoming.write(chunk)
        staged = await incoming.finish()
        assert staged.path.read_bytes() == b"".join(chunks)
    assert staged.bytes == 1051
    assert staged.sha256 == hashlib.sha256(b"".join(chunks)).hexdigest()
    assert staged.upload_ms > 0


async def test_a_large_upload_is_written_in_pieces_and_hashed_as_a_whole(tmp_path: Path) -> None:
    body = bytes(range(256)) * (3 * PIECE // 256) + b"end"
    async with intake(tmp_path).begin() as incoming:
        for start in range(0, len(body), 65536):
            await incoming.write(body[start : start + 65536])
        staged = await incoming.finish()
        assert staged.path.read_bytes() == body
    assert staged.sha256 == hashlib.sha256(body).hexdigest()


async def test_many_uploads_together_hold_back_no_more_than_their_share(tmp_path: Path) -> None:
    shared = intake(tmp_path)
    async with AsyncExitStack() as stack:
        for _ in range(HELD // (PIECE - 1) + 1):
            incoming = await stack.enter_async_context(shared.begin())
            await incoming.write(b"x" * (PIECE - 1))
        assert shared.held < HELD
        # The last one had to give back what it held, before it was a whole piece.
        assert sum(path.stat().st_size for path in found(tmp_path)) == PIECE - 1
        small = await stack.enter_async_context(shared.begin())
        await small.write(b"x" * (LEAST - 1))
        assert len(found(tmp_path)) == 1
    assert shared.held == 0
    assert found(tmp_path) == []


async def test_what_nobody_takes_is_removed(tmp_path: Path) -> None:
    async with intake(tmp_path).begin() as incoming:
        await incoming.write(b"picture")
        await incoming.finish()
    assert found(tmp_path) == []


async def test_what_somebody_takes_stays(tmp_path: Path) -> None:
    async with intake(tmp_path).begin() as incoming:
        await incoming.write(b"picture")
        staged = await incoming.finish()
        staged.let_go()
    assert found(tmp_path) == [staged.path]


async def test_no_bytes_at_all_are_an_empty_file(tmp_path: Path) -> None:
    async with intake(tmp_path).begin() as incoming:
        await incoming.write(b"")
        with pytest.raises(EmptyFile):
            await incoming.finish()
    assert found(tmp_path) == []


async def test_the_limit_itself_is_allowed(tmp_path: Path) -> None:
    async with intake(tmp_path, limit=5).begin() as incoming:
        await incoming.write(b"12345")
        assert (await incoming.finish()).bytes == 5


async def test_one_byte_more_than_the_limit_is_too_much(tmp_path: Path) -> None:
    async with intake(tmp_path, limit=2 * PIECE).begin() as incoming:
        await incoming.write(b"x" * 2 * PIECE)
        with pytest.raises(BodyTooLarge) as caught:
            await incoming.write(b"x")
    assert (caught.value.problem.limit, caught.value.problem.actual) == (2 * PIECE, 2 * PIECE + 1)
    assert found(tmp_path) == []


async def test_a_limit_of_its_own_goes_before_the_policys(tmp_path: Path) -> None:
    async with intake(tmp_path).begin(limit=3) as incoming:
        with pytest.raises(BodyTooLarge):
            await incoming.write(b"1234")


async def test_a_client_that_goes_away_in_mid_upload_leaves_nothing(tmp_path: Path) -> None:
    half_way = asyncio.Event()

    async def upload() -> None:
        async with intake(tmp_path).begin() as incoming:
            await incoming.write(b"x" * PIECE)
            half_way.set()
            await asyncio.Event().wait()

    uploading = asyncio.create_task(upload())
    await half_way.wait()
    assert len(found(tmp_path)) == 1
    uploading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await uploading
    assert found(tmp_path) == []


async def test_a_client_that_goes_away_while_a_piece_is_written_leaves_nothing(tmp_path: Path) -> None:
    async def upload() -> None:
        async with intake(tmp_path).begin() as incoming:
            await incoming.write(b"x" * 8 * PIECE)

    for turns in range(1, 6):
        uploading = asyncio.create_task(upload())
        for _ in range(turns):
            await asyncio.sleep(0)
        uploading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await uploading
        assert found(tmp_path) == []


async def test_an_upload_that_touches_the_disks_reserve_is_refused(tmp_path: Path) -> None:
    def room(size: int) -> None:
        raise InsufficientStorage("the disk is nearly full")

    async with Intake(tmp_path, limit=100, room=room).begin() as incoming:
        await incoming.write(b"1")
        with pytest.raises(InsufficientStorage):
            await incoming.finish()
    assert found(tmp_path) == []


async def test_a_folder_that_somebody_removed_is_made_again(tmp_path: Path) -> None:
    async with intake(tmp_path / "staging" / "boot").begin() as incoming:
        await incoming.write(b"1")
        assert (await incoming.finish()).path.read_bytes() == b"1"


async def test_a_folder_that_is_gone_is_a_storage_that_is_away(tmp_path: Path) -> None:
    async with intake(tmp_path / "gone" / "staging" / "boot").begin() as incoming:
        await incoming.write(b"1")
        with pytest.raises(StorageUnavailable):
            await incoming.finish()


async def test_what_is_only_processed_is_not_hashed(tmp_path: Path) -> None:
    async with intake(tmp_path).begin(digest=False) as incoming:
        await incoming.write(b"1")
        staged = await incoming.finish()
    assert staged.sha256 is None


async def test_uploads_at_the_same_time_do_not_meet(tmp_path: Path) -> None:
    async def upload(number: int) -> Staged:
        async with intake(tmp_path).begin() as incoming:
            await incoming.write(bytes([number]) * 10)
            staged = await incoming.finish()
            assert staged.path.read_bytes() == bytes([number]) * 10
            return staged

    staged = await asyncio.gather(*(upload(number) for number in range(20)))
    assert len({each.path for each in staged}) == 20


@pytest.mark.parametrize("size", [1, 3 * PIECE])
async def test_what_only_has_to_be_recognized_needs_no_room(tmp_path: Path, size: int) -> None:
    def full(_: int) -> None:
        raise InsufficientStorage("the disk is full")

    body = b"x" * size
    shared = Intake(tmp_path, limit=size, room=full)
    async with shared.begin(keep=False) as incoming:
        for start in range(0, size, PIECE // 2):
            await incoming.write(body[start : start + PIECE // 2])
        staged = await incoming.finish()
        assert (staged.bytes, staged.sha256) == (size, hashlib.sha256(body).hexdigest())
        assert found(tmp_path) == []
        with pytest.raises(BodyTooLarge):
            await incoming.write(b"x")
    assert shared.held == 0


async def test_one_of_several_files_may_be_too_large_or_empty(tmp_path: Path) -> None:
    folder = intake(tmp_path, limit=LEAST + 10)
    whole = b"x" * (3 * LEAST)
    async with folder.begin(lenient=True) as large, folder.begin(lenient=True) as empty:
        for start in range(0, len(whole), 1000):
            await large.write(whole[start : start + 1000])
        found_large, found_empty = await large.arrive("large.jpg"), await empty.arrive("empty.jpg")
        assert found(tmp_path) == []
    assert isinstance(found_large.refused, BodyTooLarge)
    assert (found_large.staged, found_large.bytes) == (None, len(whole))
    assert found_large.sha256 == hashlib.sha256(whole).hexdigest()
    assert isinstance(found_empty.refused, EmptyFile)
    assert folder.held == 0


async def test_one_of_several_files_that_is_written_already_goes_when_it_gets_too_large(
    tmp_path: Path,
) -> None:
    folder = intake(tmp_path, limit=PIECE + 10)
    async with folder.begin(lenient=True) as incoming:
        await incoming.write(b"x" * PIECE)
        assert len(found(tmp_path)) == 1
        await incoming.write(b"y" * PIECE)
        await incoming.write(b"z" * 10)
        arrived = await incoming.arrive(None)
        assert found(tmp_path) == []
    assert arrived.sha256 == hashlib.sha256(b"x" * PIECE + b"y" * PIECE + b"z" * 10).hexdigest()


async def test_one_of_several_files_that_is_fine_arrives(tmp_path: Path) -> None:
    async with intake(tmp_path, limit=10).begin(lenient=True) as incoming:
        await incoming.write(b"x" * 10)
        arrived = await incoming.arrive("cat.jpg")
        assert arrived.refused is None
        assert arrived.staged is not None
        assert arrived.staged.path.read_bytes() == b"x" * 10
    assert found(tmp_path) == []
