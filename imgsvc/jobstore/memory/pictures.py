"""Images, and what keeps each of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from imgsvc.errors import NotFound
from imgsvc.jobs import Image
from imgsvc.jobstore._base import REMEMBERED_MS, ImagePage
from imgsvc.jobstore._checks import image_cursor, image_cursor_of


@dataclass(slots=True)
class _Picture:
    image: Image
    brought: bool  # by jobs: it stays while one of its jobs is there
    removed_at: int | None = None  # gone, but remembered, and shown by the jobs that had it

    @property
    def kept(self) -> bool:
        """For its own sake, until its expires_at."""
        return self.image.kept

    def lasts(self, until: int | None, *, kept: bool) -> None:
        self.image = self.image.model_copy(update={"kept": kept, "expires_at": until})

    def remove(self, now: int) -> str:
        self.removed_at = now
        self.lasts(None, kept=False)
        return self.image.key


class Pictures:
    """Every image that is there, is remembered, or is shown by some job."""

    def __init__(self) -> None:
        self._all: dict[str, _Picture] = {}

    def find(self, id: str) -> Image | None:
        """An image that is there."""
        picture = self._there(id)
        return picture.image if picture else None

    def shown(self, id: str) -> Image:
        """The image of a job, removed or not."""
        return self._all[id].image

    def keep(self, image: Image) -> tuple[Image, bool]:
        """Keep an image for its own sake: what stands, and whether it is new."""
        picture = self._there(image.id)
        if picture is None:
            picture = self._all[image.id] = _Picture(image, brought=False)
            picture.lasts(image.expires_at, kept=True)
            return picture.image, True
        until = image.expires_at
        if picture.kept and until is not None:
            standing = picture.image.expires_at
            until = None if standing is None else max(standing, until)
        picture.lasts(until, kept=True)
        return picture.image, False

    def bring(self, image: Image) -> None:
        """Have an image that a job brings."""
        picture = self._there(image.id)
        if picture is None:
            its_own = {"kept": False, "expires_at": None}
            picture = self._all[image.id] = _Picture(image.model_copy(update=its_own), brought=True)
        elif not picture.kept:
            picture.lasts(None, kept=False)
        picture.brought = True

    def mention(self, image: Image) -> None:
        """Have an image that a failed job tells of: gone, where it is not there."""
        if image.id not in self._all:
            removed_at = image.created_at
            self._all[image.id] = _Picture(image, brought=False, removed_at=removed_at)
            self._all[image.id].lasts(None, kept=False)

    def page(self, limit: int, cursor: str | None) -> ImagePage:
        """Images that are there, newest first."""
        before = image_cursor(cursor)
        there = [picture.image for picture in self._all.values() if picture.removed_at is None]
        ordered = sorted(((image.created_at, image.id), image) for image in there)
        found = [image for place, image in reversed(ordered) if place < before]
        more = len(found) > limit
        return ImagePage(tuple(found[:limit]), image_cursor_of(found[limit - 1]) if more else None)

    def remove(self, id: str, now: int) -> str | None:
        """Forget an image: its blob's key, None when it was removed before, NotFound if it never was."""
        picture = self._all.get(id)
        if picture is None or (picture.removed_at is not None and picture.removed_at < now - REMEMBERED_MS):
            raise NotFound(f"there is no image {id}")
        return picture.remove(now) if picture.removed_at is None else None

    def remove_unneeded(
        self, now: int, limit: int, *, needed: Collection[str], shown: Collection[str]
    ) -> list[str]:
        """Forget images that neither their own time nor a job keeps: their blobs' keys."""
        gone = []
        for its, picture in self._all.items():
            until = picture.image.expires_at
            if picture.removed_at is not None or (picture.kept and (until is None or until > now)):
                continue
            picture.lasts(None if picture.brought else until, kept=False)
            if its not in needed and not (picture.brought and its in shown):
                gone.append(picture)
        return [picture.remove(now) for picture in gone[:limit]]

    def bytes(self) -> int:
        """Bytes of the images that are there."""
        return sum(each.image.bytes for each in self._all.values() if each.removed_at is None)

    def next_expiry(self) -> int | None:
        """When the time of the next image that is kept for its own sake is up."""
        kept = (picture.image.expires_at for picture in self._all.values() if picture.kept)
        return min((at for at in kept if at is not None), default=None)

    def forget(self, then: int, *, shown: Collection[str]) -> None:
        """Drop what was removed before `then` and no job shows."""
        self._all = {
            its: picture
            for its, picture in self._all.items()
            if picture.removed_at is None or picture.removed_at >= then or its in shown
        }

    def _there(self, id: str) -> _Picture | None:
        picture = self._all.get(id)
        return picture if picture and picture.removed_at is None else None
