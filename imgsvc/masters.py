"""Reduced masters in a storage: read where one is kept, made from the original where none is."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict

from imgsvc.errors import Unavailable
from imgsvc.imaging import Clock, Limits, Output, Rendered, master
from imgsvc.imaging.levels import Level
from imgsvc.imaging.limits import check_source
from imgsvc.imaging.master import Broken, Master
from imgsvc.imaging.render import opened_source, render_reduced
from imgsvc.imaging.source import Origin
from imgsvc.storage import Storage

_log = logging.getLogger(__name__)


class Wanted(BaseModel):
    """The master that a task is to start from."""

    model_config = ConfigDict(frozen=True)

    #: A level, as text.
    level: str
    #: Where it is kept, if it is.
    at: str | None = None
    #: The key, to be stamped, under which it is to be kept where it had to be made; None: it is not.
    key: str | None = None


class Kept(BaseModel):
    """A master that a task has made and kept."""

    model_config = ConfigDict(frozen=True)

    key: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Masters:
    """The masters of one storage, for one task."""

    storage: Storage
    limits: Limits
    clock: Clock

    def render(
        self,
        wanted: Wanted,
        original: Callable[[], BinaryIO],
        prepare: Callable[[Origin], Sequence[Output]],
    ) -> tuple[tuple[Rendered, ...], Master | None]:
        """Results made from a master, and the master where it had to be made.

        `prepare` gives the outputs, and refuses what can be refused beforehand. What is kept and is not
        sound is made again. Raises what `imaging.render` does.
        """
        found = None if wanted.at is None else self._found(wanted.at)
        if found is not None:
            facts = found.origin.facts
            check_source(facts.stored, facts.frames, self.limits)  # they may have been laxer when it was made
            return render_reduced(found.image, prepare(found.origin), self.clock), None
        with original() as file:
            opened = opened_source(file, self.limits)
            outputs = prepare(opened)
            made = master.make(opened, Level.parse(wanted.level), self.limits, self.clock)
        return render_reduced(made.image, outputs, self.clock), made

    def keep(self, key: str, made: Master) -> Kept | None:
        """Keep a master under a key, stamped with what it is; None where the storage won't have it."""
        with self.clock.step("master"):
            head, pixels = master.written(made)
            stamped = f"{key}-{master.digest(head, pixels)}-{master.FORMAT}-{made.size}"
            try:
                with suppress(FileExistsError):  # the same task has kept it, and lost its worker then
                    self.storage.put(stamped, head, pixels, durable=False)
            except (Unavailable, OSError) as error:  # the results are as good without it
                _log.warning("a master could not be kept: %s", error)
                return None
            return Kept(key=stamped, bytes=len(head) + len(pixels))

    def _found(self, key: str) -> Master | None:
        with self.clock.step("master") as step:
            try:
                found = master.read(self.storage.read(key))
            except (Broken, Unavailable, OSError) as error:
                if isinstance(error, OSError) and error.errno == errno.ENOMEM:
                    raise
                _log.info("a master could not be read: %s", error)
                return None
            step.sees(None, found.size)
            return found
