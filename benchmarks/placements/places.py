"""The placements that are compared, and how a client has each of them do a job."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from benchmarks.placements.work import ANSWER_S, Work


@dataclass(frozen=True)
class Placement:
    """One way of placing work; `name` is what `apps.PLACEMENT` and the raw numbers know it by."""

    name: str
    number: str
    title: str
    works: tuple[Work, ...]
    #: Is it the real service?
    ours: bool = False
    #: Answers 202 first; the result is asked for by the job's id.
    accepts: bool = False
    #: Kinds of work of which it may have as many in flight as it is asked for, or dozens at least.
    crowds: tuple[Work, ...] = ()

    def path(self, work: Work, ops: str) -> str:
        """Where a job of this kind is posted."""
        if not self.ours:
            return f"/thumbnail?ops={quote(ops)}" if work is Work.THUMBNAIL else f"/{work}"
        wanted = ops if work is Work.THUMBNAIL else f"test-sleep:{ANSWER_S}/png"
        return f"/v1/{'jobs' if self.accepts else 'process'}?ops={quote(wanted)}"

    def result(self, job: str) -> str:
        """Where the result of an accepted job is waited for."""
        return f"/v1/jobs/{job}/result?wait=30" if self.ours else f"/jobs/{job}"


_BLOCKING = (Work.THUMBNAIL, Work.WAIT)

PLACEMENTS = (
    Placement("handler", "1", "in the async handler", tuple(Work), crowds=(Work.AWAIT,)),
    Placement("background", "2", "BackgroundTasks, def", _BLOCKING, accepts=True, crowds=(Work.WAIT,)),
    Placement(
        "background-async",
        "2b",
        "BackgroundTasks, async def",
        (Work.THUMBNAIL, Work.AWAIT),
        accepts=True,
        crowds=(Work.AWAIT,),
    ),
    Placement("thread", "3", "thread pool", _BLOCKING, crowds=(Work.WAIT,)),
    Placement("pool-each", "4", "process pool per request", _BLOCKING),
    Placement("pool-once", "5", "one process pool", _BLOCKING),
    Placement("process", "6", "lanes: POST /v1/process", _BLOCKING, ours=True),
    Placement("jobs", "6b", "lanes: durable jobs", _BLOCKING, ours=True, accepts=True),
)
