"""Who waits for a job's end: woken by the end itself, never by asking the store again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from imgsvc.jobs import Job

#: Resolves to the job as it ended, or to None when nobody may wait any longer (a drain).
Ended = asyncio.Future[Job | None]


class Waiters:
    """Futures by job id; those that are not waited for any more are gone."""

    def __init__(self) -> None:
        self._by_job: dict[str, set[Ended]] = {}
        self._closed = False

    def __repr__(self) -> str:
        return f"<Waiters for {len(self._by_job)} jobs>"

    @contextmanager
    def watch(self, id: str) -> Iterator[Ended]:
        """A future for the job's end; look at the job after entering, so that no end is missed."""
        ended: Ended = asyncio.get_running_loop().create_future()
        if self._closed:
            ended.set_result(None)
        waiting = self._by_job.setdefault(id, set())
        waiting.add(ended)
        try:
            yield ended
        finally:
            waiting.discard(ended)
            if not waiting and self._by_job.get(id) is waiting:
                del self._by_job[id]

    def tell(self, job: Job) -> None:
        """The job has ended."""
        for ended in self._by_job.get(job.id, ()):
            if not ended.done():
                ended.set_result(job)

    def close(self) -> None:
        """Let everyone go now, and whoever comes later at once."""
        self._closed = True
        for waiting in self._by_job.values():
            for ended in waiting:
                if not ended.done():
                    ended.set_result(None)
