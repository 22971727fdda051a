"""Stored images whose facts are kept in mind, so that a hit asks no database."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable

from imgsvc.errors import ImgsvcError
from imgsvc.jobs import Image
from imgsvc.scheduler import Clock

#: Images that are kept in mind: some megabytes.
_MOST = 4096


class Known:
    """Images by id, as they were when they were looked up; whoever removes one says `forget` afterwards."""

    def __init__(self, look: Callable[[str], Awaitable[Image]], clock: Clock) -> None:
        """`look` finds a stored image by its id, and raises NotFound."""
        self._look = look
        self._clock = clock
        self._images: OrderedDict[str, Image] = OrderedDict()
        #: How often images were forgotten: what was looked up before the last time may be gone.
        self.forgotten = 0

    def __repr__(self) -> str:
        return f"<Known: {len(self._images)} images>"

    async def get(self, id: str) -> Image:
        """A stored image; raises NotFound."""
        image = self._in_mind(id)
        while image is None:
            since = self.forgotten
            found = await self._look(id)
            if self.add(found, since):
                image = found
        return image

    def add(self, image: Image, since: int) -> bool:
        """Keep in mind an image as it was found; `since` is `forgotten` before. False: it may be gone."""
        if since != self.forgotten:
            return False
        self._images[image.id] = image
        if len(self._images) > _MOST:
            self._images.popitem(last=False)
        return True

    async def has(self, image: Image) -> bool:
        """Is this image stored still?"""
        return image.id in self._images or await self.has_indeed(image)

    async def has_indeed(self, image: Image) -> bool:
        """As `has`, whatever was known so far."""
        self._images.pop(image.id, None)
        try:
            return (await self._look(image.id)).sha256 == image.sha256
        except ImgsvcError:
            return False

    def forget(self, id: str) -> None:
        """An image is gone, or about to go."""
        self.forgotten += 1
        self._images.pop(id, None)

    def _in_mind(self, id: str) -> Image | None:
        """What is known of an image; nothing at the end of its time, for it may have been given more."""
        image = self._images.get(id)
        if image is not None and image.expires_at is not None and image.expires_at <= self._clock():
            del self._images[id]
            return None
        return image
