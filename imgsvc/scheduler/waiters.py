"""Who waits for a job's or a batch's end: woken by ends, never by asking the store again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from imgsvc.jobs import Job

#: Resolves to the job as it ended, or to None when nobody may wait any longer (a drain).
Ended = asyncio.Future[Job | None]


class Waiters:
    """Futures by the id of a job or a batch; those that are not waited for any more are gone."""

    def __init__(self) -> None:
        self._by_id: dict[str, set[Ended]] = {}
        self._closed = False

    def __repr__(self) -> str:
        return f"<Waiters for {len(self._by_id)} ids>"

    @contextmanager
    def watch(self, id: str) -> Iterator[Ended]:
        """A future for the job's end, or the batch's next change; look at it after entering, to miss none."""
        ended: Ended = asyncio.get_running_loop().create_future()
        if self._closed:
            ended.set_result(None)
        waiting = self._by_id.setdefault(id, set())
        waiting.add(ended)
        try:
            yield ended
        finally:
            waiting.discard(ended)
            if not waiting and self._by_id.get(id) is waiting:
                del self._by_id[id]

    def tell(self, job: Job) -> None:
        """The job has ended; its batch has changed by that."""
        self._resolve(job.id, job)
        if job.batch is not None:
            self._resolve(job.batch, job)

    def changed(self, batch: str) -> None:
        """The batch has changed, other than by the end of a job."""
        self._resolve(batch, None)

    def _resolve(self, id: str, job: Job | None) -> None:
        for ended in self._by_id.get(id, ()):
            if not ended.done():
                ended.set_result(job)

    def close(self) -> None:
        """Let everyone go now, and whoever comes later at once."""
        self._closed = True
        for waiting in self._by_id.values():
            for ended in waiting:
                if not ended.done():
                    ended.set_result(None)
