"""Files of the folder as pictures: read once for as long as they stay what they are."""

from __future__ import annotations

import asyncio
import io
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import pytest
from blake3 import blake3
from PIL import Image as Pillow

from imgsvc.config import load
from imgsvc.errors import (
    BodyTooLarge,
    Draining,
    EmptyFile,
    ImageCorrupt,
    NotFound,
    StorageUnavailable,
    UnsupportedMediaType,
)
from imgsvc.imaging.facts import Facts
from imgsvc.service import Service, Source
from imgsvc.service.sources import Folder, Sources
from imgsvc.service.sources.folder import State
from imgsvc.wiring import open_service

pytestmark = pytest.mark.anyio


def jpeg(colour: str = "teal") -> bytes:
    file = io.BytesIO()
    Pillow.new("RGB", (64, 48), colour).save(file, "JPEG")
    return file.getvalue()


class Bench:
    """Sources on a folder with a picture, in a service that has none of its own."""

    def __init__(self, service: Service, folder: Path, *, copies: int = 1 << 20, clock: int = 10_000) -> None:
        """`clock` is how many milliseconds later than the file system it is."""
        self.folder = folder
        self.service = service
        self.probed = 0
        self.sources = Sources(
            Folder(folder),
            service._submissions.storage,
            service.intake.folder,
            service._calls.boot,
            admission=service.admission,
            probe=self._probe,
            max_body=100_000,
            copies=copies,
            clock=lambda: time.time_ns() // 1_000_000 + clock,
        )

    async def _probe(self, path: Path) -> Facts:
        self.probed += 1
        return await self.service._submissions.dispatcher.probe(path, self.service._submissions.limits)

    async def look(self, name: str) -> Source:
        found = await self.sources.find([name.encode()])
        async with self.sources.look(found) as source:
            return source

    async def read(self, source: Source) -> bytes:
        """What a worker would read."""
        async with self.sources.copied(source) as image:
            return self.service._submissions.storage.read(image.key)

    def staged(self) -> int:
        """Files that are copies."""
        return len(list(self.service._submissions.storage.keys("staging")))


@pytest.fixture
async def serving(tmp_path: Path) -> AsyncIterator[Service]:
    settings = load(
        data_dir=tmp_path / "data",
        storage=f"memory:{uuid4().hex}",
        jobs="memory:",
        dispatch="inline:",
        workers=1,
        disk_reserve=0,
    )
    async with open_service(settings, isolated=False) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "a.jpg").write_bytes(jpeg())
    return tmp_path / "sources"


@pytest.fixture
def bench(serving: Service, folder: Path) -> Bench:
    return Bench(serving, folder)


async def test_a_file_is_its_content(bench: Bench) -> None:
    digest = blake3(jpeg()).hexdigest()
    image = (await bench.look("a.jpg")).image
    assert (image.id, image.sha256, image.bytes) == (f"img_{digest[:32]}", digest, len(jpeg()))
    assert (image.format, image.width, image.height, image.has_alpha) == ("jpeg", 64, 48, False)


async def test_what_a_worker_reads_is_a_copy(bench: Bench) -> None:
    source = await bench.look("a.jpg")
    assert await bench.read(source) == jpeg()
    (bench.folder / "a.jpg").unlink()
    assert await bench.read(source) == jpeg()


async def test_a_file_is_read_once_while_it_stays_what_it_is(bench: Bench) -> None:
    for _ in range(3):
        await bench.look("a.jpg")
    assert bench.probed == 1


async def test_a_file_that_was_changed_a_moment_ago_is_read_again(serving: Service, folder: Path) -> None:
    """Its next change may not show in its times."""
    bench = Bench(serving, folder, clock=0)
    for _ in range(3):
        await bench.look("a.jpg")
    assert bench.probed == 3


def changes(path: Path, how: str) -> None:
    """Change a file in one of the ways in which files are changed, once the clock has moved on."""
    data, before = jpeg("navy"), path.stat()
    assert len(data) == before.st_size
    while State.of(path.stat()) == State.of(before):
        if how == "replaced":
            other = path.with_name("other")
            other.write_bytes(data)
            other.replace(path)
        else:
            path.write_bytes(data)
        if how == "same size and time":
            os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("how", ["rewritten", "replaced", "same size and time"])
async def test_a_changed_file_is_another_image(bench: Bench, how: str) -> None:
    before = await bench.look("a.jpg")
    changes(bench.folder / "a.jpg", how)
    after = await bench.look("a.jpg")
    assert before.image.id != after.image.id
    assert await bench.read(after) == jpeg("navy")


async def test_two_files_with_one_content_are_one_image(bench: Bench) -> None:
    (bench.folder / "b.jpg").write_bytes(jpeg())
    first, second = await bench.look("a.jpg"), await bench.look("b.jpg")
    assert first.image.id == second.image.id
    await bench.sources.close()
    assert bench.staged() == 1


async def test_those_who_come_together_share_one_reading(bench: Bench) -> None:
    found = await asyncio.gather(*(bench.look("a.jpg") for _ in range(50)))
    assert len({source.image.id for source in found}) == 1
    assert bench.probed == 1
    assert bench.staged() == 1


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", EmptyFile),
        (b"no picture at all", UnsupportedMediaType),
        (b"\xff\xd8\xff\xe0 nothing", ImageCorrupt),
        (jpeg() + bytes(100_000), BodyTooLarge),
    ],
)
async def test_what_is_no_picture_is_refused_as_an_upload_is_and_read_once(
    bench: Bench, data: bytes, error: type[Exception]
) -> None:
    (bench.folder / "bad.jpg").write_bytes(data)
    for _ in range(3):
        with pytest.raises(error):
            await bench.look("bad.jpg")
    assert bench.probed <= 1
    assert bench.staged() == 0
    assert not list(bench.service.intake.folder.glob("0*"))
    (bench.folder / "bad.jpg").write_bytes(jpeg())
    await bench.look("bad.jpg")


async def test_without_room_for_copies_each_render_makes_one_that_goes(
    serving: Service, folder: Path
) -> None:
    bench = Bench(serving, folder, copies=0)
    source = await bench.look("a.jpg")
    for _ in range(2):
        assert await bench.read(source) == jpeg()
        await bench.sources.close()
        assert bench.staged() == 0
    assert bench.probed == 1


async def test_a_first_sight_copies_once_even_without_room_for_copies(serving: Service, folder: Path) -> None:
    bench = Bench(serving, folder, copies=0)
    found = await bench.sources.find([b"a.jpg"])
    async with bench.sources.look(found) as source:
        (folder / "a.jpg").unlink()
        assert await bench.read(source) == jpeg()


async def test_a_copy_stays_while_anybody_uses_it(serving: Service, folder: Path) -> None:
    bench = Bench(serving, folder, copies=0)
    source = await bench.look("a.jpg")
    async with AsyncExitStack() as stack:
        for _ in range(3):
            image = await stack.enter_async_context(bench.sources.copied(source))
        assert bench.staged() == 1
        assert serving._submissions.storage.read(image.key) == jpeg()
    await bench.sources.close()
    assert bench.staged() == 0


async def test_a_copy_that_would_hold_something_else_is_not_given(serving: Service, folder: Path) -> None:
    bench = Bench(serving, folder, copies=0)
    source = await bench.look("a.jpg")
    await bench.read(source)
    changes(folder / "a.jpg", "same size and time")
    with pytest.raises(StorageUnavailable, match="being changed"):
        await bench.read(source)
    await bench.sources.close()
    assert bench.staged() == 0


async def test_a_file_that_went_is_not_there(serving: Service, folder: Path) -> None:
    bench = Bench(serving, folder, copies=0)
    found = await bench.sources.find([b"a.jpg"])
    source = await bench.look("a.jpg")
    await bench.read(source)
    (folder / "a.jpg").unlink()
    with pytest.raises(NotFound):
        await bench.read(source)
    with pytest.raises(NotFound):
        await bench.sources.find([b"a.jpg"])
    async with bench.sources.look(found) as again:
        assert again.image == source.image, "it was seen, and may still be cached"


async def test_nothing_new_is_read_while_draining(bench: Bench) -> None:
    await bench.look("a.jpg")
    (bench.folder / "b.jpg").write_bytes(jpeg("navy"))
    bench.service.drain()
    await bench.look("a.jpg")
    with pytest.raises(Draining):
        await bench.look("b.jpg")


async def test_a_file_that_was_seen_on_a_near_disk_is_looked_for_at_once(bench: Bench) -> None:
    """Everything else is left to threads, which a file system may hold up."""
    await bench.look("a.jpg")
    bench.sources._threads.shutdown()
    folder = bench.sources._folder
    assert folder is not None
    steps = [b"a.jpg", b"webp"]
    folder.near = bench.folder.stat().st_dev
    assert (await bench.sources.find(steps)).path == b"a.jpg"
    for device, asked in ((None, steps), (folder.near + 1, steps), (folder.near, [b"b.jpg"])):
        folder.near = device
        with pytest.raises(RuntimeError):
            await bench.sources.find(asked)


async def test_without_a_folder_there_are_no_files(serving: Service) -> None:
    assert await serving.sources.readable()
    with pytest.raises(NotFound):
        await serving.sources.find([b"a.jpg"])


async def test_a_folder_that_went_is_noticed(bench: Bench) -> None:
    assert await bench.sources.readable()
    bench.folder.rename(bench.folder.with_name("elsewhere"))
    assert not await bench.sources.readable()
    with pytest.raises(StorageUnavailable):
        await bench.sources.find([b"a.jpg"])


async def test_it_can_be_shown(bench: Bench) -> None:
    await bench.look("a.jpg")
    assert repr(bench.sources).startswith("<Sources: 1 files in mind, <Copies: 0 in use, 1 with")
