"""The use cases of stored images: stored for their own sake, looked up, listed, removed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from imgsvc.errors import NotFound
from imgsvc.jobs import Image
from imgsvc.jobstore import ImagePage, JobStore, Receipt
from imgsvc.scheduler import Clock, Scheduler
from imgsvc.service.admission import Admission
from imgsvc.service.intake import Staged
from imgsvc.service.renders import Renders
from imgsvc.service.submissions import Submissions


@dataclass(frozen=True, kw_only=True)
class Images:
    """Raises NotFound for an image that is unknown, or whose time is over."""

    store: JobStore
    scheduler: Scheduler
    admission: Admission
    submissions: Submissions
    renders: Renders
    clock: Clock

    async def add(self, staged: Staged, *, receipt: Receipt | None = None) -> tuple[Image, bool]:
        """Store an image for its own sake: what stands, and whether it is new. Raises as `Service.submit`."""
        self.admission.check_draining()
        since = self.renders.known.forgotten
        image, new = await self.submissions.image(staged, receipt)
        self.renders.known.add(image, since)  # what is uploaded is soon looked at
        return image, new

    async def get(self, id: str) -> Image:
        """A stored image."""
        return await stored(self.store, self.clock, id)

    async def list(self, *, limit: int, cursor: str | None = None) -> ImagePage:
        """Images, newest first. Raises InvalidParameter for a cursor that is not ours."""
        return await self.store.images(limit=limit, cursor=cursor)

    async def purge_renders(self, image: str) -> int:
        """Remove all that was made on the fly of an image: how many pictures.

        Of one that is not stored, because it lies in the folder of sources, what there is.
        """
        purged = await self.renders.purge(image, gone=False)
        if not purged:
            await self.get(image)
        return purged

    async def delete(self, id: str) -> None:
        """Remove an image. Raises ImageInUse while jobs need it, NotFound for an id that never was."""
        await self.scheduler.crew.finish(self._delete(id))

    async def forgotten(self, images: Iterable[str]) -> None:
        """Images have gone by themselves, and so does what was made of them on the fly."""
        for image in images:
            await self.renders.purge(image)

    async def _delete(self, id: str) -> None:
        # Before, so that a server that dies half-way leaves none of an image that is gone; and after, for
        # what was made meanwhile.
        if await self.store.image(id) is not None:
            await self.renders.purge(id)
        key = await self.store.delete_image(id, self.clock())
        await self.renders.purge(id)
        if key is not None:
            await self.scheduler.sweeper.remove([key])


async def stored(store: JobStore, clock: Clock, id: str) -> Image:
    """The record of an image whose time is not over. Raises NotFound."""
    image = await store.image(id)
    if image is None or (image.expires_at is not None and image.expires_at <= clock()):
        raise NotFound("there is no such image")
    return image
