"""Every dispatcher in the room, started on two lanes, and work for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from imgsvc import dispatch, plugins, storage
from imgsvc.dispatch import Dispatcher, Resources
from imgsvc.imaging import Limits
from imgsvc.jobs import image_key, new_id, result_key
from imgsvc.storage import Storage
from imgsvc.worker import Target, Task

MEMORY = 1024 * 1024 * 1024


@dataclass(frozen=True)
class Yard:
    """A storage that workers see, and tasks on what lies in it."""

    storage: Storage

    def task(self, picture: bytes, *specs: str) -> Task:
        """Each spec makes one result of the picture."""
        source = image_key("img_" + new_id("x")[2:])
        self.storage.put(source, picture)
        job = new_id("job")
        targets = tuple(
            Target(name=f"o{number}", spec=spec, key=result_key(job, 1, number))
            for number, spec in enumerate(specs)
        )
        return Task(storage=self.storage.url, source=source, targets=targets, limits=Limits())


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(storage.connect(f"file://{tmp_path}/blobs"))


@pytest.fixture
def work(yard: Yard, photo: Callable[..., bytes]) -> Callable[..., Task]:
    """A task on a small photograph, or on the `picture` that is given."""

    def make(*specs: str, picture: bytes | None = None) -> Task:
        return yard.task(photo(64, 48) if picture is None else picture, *specs)

    return make


@pytest.fixture(params=plugins.names("imgsvc.dispatch"))
async def dispatcher(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Dispatcher]:
    resources = Resources(lanes=2, memory=MEMORY, scratch=tmp_path)
    made = dispatch.connect(f"{request.param}:", resources)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def isolating(dispatcher: Dispatcher) -> Dispatcher:
    if not dispatcher.isolates:
        pytest.skip("it isolates nothing, and says so")
    return dispatcher
