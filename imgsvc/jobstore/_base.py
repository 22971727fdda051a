"""What a job store is: the durable record of images and jobs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from imgsvc.errors import Problem
from imgsvc.jobs import Image, Job, Priority, Result, State, Timings
from imgsvc.jobstore._batches import BatchStore
from imgsvc.jobstore._receipts import Answer, Receipt

#: For how long a removal is remembered, in milliseconds (design/api.md: 410 for 30 days).
REMEMBERED_MS = 30 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Ending:
    """What becomes of one attempt: the next state, and what is recorded with it.

    A next state of QUEUED is one more try (a crash, a drain, a storage that failed).
    """

    state: State
    #: What the attempt is called in the job's history.
    outcome: str
    at: int
    results: tuple[Result, ...] = ()
    error: Problem | None = None
    warnings: tuple[str, ...] = ()
    timings: Timings = field(default_factory=Timings)
    #: Not claimed again before this time (only with QUEUED).
    not_before: int | None = None
    #: Does this start count against the job? `drained` and `lost` starts are counted apart.
    drained: bool = False
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits."""

    #: Jobs queued, and running.
    queued: int
    running: int
    #: Bytes of the distinct images that queued and running jobs need.
    bytes: int
    #: When the oldest queued job was created.
    oldest: int | None


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes of the blobs that the records name."""

    #: Of all results, and of all images that are there.
    results: int
    images: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, newest first, and the cursor for the next ones (None at the end)."""

    items: tuple[Job, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class ImagePage:
    """Some images, newest first, and the cursor for the next ones (None at the end)."""

    items: tuple[Image, ...]
    next_cursor: str | None


class JobStore(BatchStore, Protocol):
    """Images and jobs, durably: when a writing call returns, its change survives kill -9 and power loss.

    Times are milliseconds since the epoch and always come from the caller. A store that is locked
    for longer than its patience raises StorageBusy, any other fault of the medium
    StorageUnavailable (InsufficientStorage for a full disk), and nothing has changed then. Every change
    of state is a compare-and-set: one that the table `jobs.TRANSITIONS` does not allow, or that names an
    attempt that is not the current one, changes nothing and answers None.

    Used from one event loop, by as many tasks as like. A call is atomic: when its caller is cancelled
    while it waits, the change happens whole or not at all, and there is no telling which. So whoever
    claims must not be cancelled while the store answers, or must look at the answer all the same.

    Blob keys are those of `jobs.image_key` and `jobs.result_key`: a key that does not carry the id of its
    image or job is a ValueError.
    """

    #: Does the record outlive this process?
    lasts: bool

    async def open(self, *, create: bool = True, rehearsal: bool = False) -> None:
        """Bring the schema up to date. Raises StorageUnavailable for a newer schema than ours.

        A closed store can be opened again. Without `create` there must be one already, else
        StorageUnavailable. In a rehearsal every call answers as ever, and nothing lasts: closing takes back
        what was changed, the schema included.
        """

    async def close(self) -> None:
        """Finish what was handed in and let go; safe to call twice. Calls then raise StorageUnavailable."""

    async def ping(self) -> None:
        """Raises StorageBusy or StorageUnavailable when the store can't be read and written now."""

    # -- images ---------------------------------------------------------------------------------
    #
    # An image is needed while a job that is queued or running has it; while it is kept for its own sake
    # (`add_image`) and its time is not up; and while a job is there, ended or not, if jobs brought it.
    # An image that was removed is still shown by the ended jobs that had it.

    async def add_image(self, image: Image, *, receipt: Receipt | None = None) -> tuple[Image, bool]:
        """Record an image kept for its own sake (`POST /v1/images`): what stands, and whether it is new.

        The same content twice is one image: the first record's key stands (the caller then drops its own
        blob), and an image that only jobs had kept is kept for its own sake from now on
        (`expires_at` of the argument applies; None means until it is deleted). Adding again one that is
        kept for its own sake never shortens its time. What stands is `kept`, whatever the argument says.
        With a `receipt`: as `add`.
        """

    async def image(self, id: str) -> Image | None:
        """One image, None when it is not (or no longer) there."""

    async def images(self, *, limit: int, cursor: str | None = None) -> ImagePage:
        """Images, newest first. Raises InvalidParameter for a cursor that is not ours."""

    async def delete_image(self, id: str, now: int) -> str | None:
        """Forget an image: the blob key to remove, or None when it was removed before.

        Raises NotFound for an id that never was (or whose removal is forgotten), ImageInUse when
        queued or running jobs need it. Its removal is remembered for 30 days, however it went.
        """

    # -- jobs -----------------------------------------------------------------------------------

    async def add(self, job: Job, *, rank: int, stored: bool = False, receipt: Receipt | None = None) -> Job:
        """Record a queued job, and its image if that is not there yet (then owned by its jobs, not `kept`).

        The job as recorded: where the image was there already, `job.image` is the standing record
        and the caller drops its own blob (its key is not the one it gave). With `stored` the image must
        be there: NotFound if it went. Jobs are claimed by the smallest `rank`, then by id.
        Raises ValueError for a job that is not queued or whose id is taken. The `receipt` of the
        request is kept with it, both or neither, and the job is its subject; IdempotencyKeyInUse when its
        key is taken.

        A job that names a batch joins it, behind all that joined before. Where the batch has a job of the
        same `reference`, that first one is the answer and nothing has changed. Raises NotFound for an
        unknown batch, ResultExpired for a removed one, InvalidParameter for one that is closed or full.
        Another try (`retry_of`) takes the place in the batch of the job that has failed or was canceled,
        which then has none; where that is not possible (the batch was canceled), it is of no batch.
        """

    async def add_failed(self, job: Job) -> Job:
        """Record a job that has failed already, for its file is no picture that can be worked on; as `add`.

        Its image is only told of: where it is not there, it is as if it had been removed at once.
        Raises ValueError for a job that is not like that.
        """

    async def get(self, id: str) -> Job | None:
        """One job; None for an unknown or forgotten id. Raises ResultExpired for one that was removed."""

    async def list(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        states: Sequence[State] = (),
        batch: str | None = None,
        reference: str | None = None,
    ) -> Page:
        """Jobs, newest first, by id, never OFFSET. Raises InvalidParameter for a cursor that is not ours.

        A job that is there from the first page to the last is on exactly one of them, whatever comes
        and goes meanwhile.
        """

    async def claim(self, now: int, *, lane: int) -> Job | None:
        """Start the next job that may run: QUEUED to RUNNING, attempts + 1, one more row of history.

        `started_at` is the start of the attempt (None while queued), `not_before` is cleared. Whether
        the queue is paused is for the caller to ask.
        """

    async def settle(self, id: str, attempt: int, ending: Ending) -> Job | None:
        """End an attempt; None, and nothing has changed, when it is not the running one any more.

        The ending's timings are laid over the job's: what is None there stays. With a next state of
        QUEUED only the history, `not_before` and the counts change; results, error, warnings and timings
        of the ending are not recorded. A job that ends expires `retention_s` later.
        """

    async def queued_with(self, image: str, *, after: str, limit: int) -> Sequence[Job]:
        """Up to `limit` QUEUED jobs that have this image, by id, those after the id `after`.

        For rare occasions: it looks at every queued job.
        """

    async def fail(self, id: str, error: Problem, now: int) -> Job | None:
        """QUEUED to FAILED without a start (quarantined, source gone); None when it is not queued."""

    async def cancel(self, id: str, now: int) -> Job | None:
        """QUEUED or RUNNING to CANCELED: the job afterwards (an ended one unchanged), None if unknown.

        Raises ResultExpired for one that was removed.
        """

    async def cancel_queued(self, now: int, *, batch: str | None = None) -> Sequence[Job]:
        """Every job that is QUEUED now (of one batch) to CANCELED: the jobs that this changed.

        Done in several steps, so that other callers are served meanwhile; jobs added after the call are
        not touched.
        """

    async def delete(self, id: str, now: int) -> Job | None:
        """Remove a job, whatever its state: the job as it was, None when it was removed before.

        A running one is the caller's to kill; its attempt settles to None. Raises NotFound for an id that
        never was. The removal is remembered for 30 days. An image that only
        ended or removed jobs had kept goes with its last job: see `unneeded_images`.
        """

    async def recover(self, now: int, *, max_lost: int) -> Sequence[Job]:
        """At start: every RUNNING job was lost with the last server; back to QUEUED, `lost` + 1.

        One lost more than `max_lost` times fails with `worker-crashed`. The jobs as they are afterwards.
        """

    async def position(self, id: str) -> int | None:
        """The job's place in the line, from 1; None when it is not queued.

        The line is all queued jobs by rank and id, those included that wait for their `not_before`.
        """

    async def positions(self, ids: Sequence[str]) -> Mapping[str, int]:
        """The places of several jobs at once; those that are not queued are left out."""

    async def depths(self) -> Mapping[Priority, int]:
        """Queued jobs by priority; every priority is there."""

    async def backlog(self) -> Backlog:
        """What waits now; cheap enough for every submission."""

    async def counts(self) -> Mapping[State, int]:
        """Jobs by state, as recorded now; every state is there."""

    async def last_ranks(self) -> Mapping[Priority, int]:
        """The largest rank among queued jobs of each priority that has any; it looks at every queued job."""

    async def hasten(self, latest: int) -> None:
        """Queued jobs whose `not_before` is later than `latest` may start at once."""

    async def next_start(self, now: int = 0) -> int | None:
        """The earliest `not_before` later than `now` among queued jobs; None when none waits for its time."""

    # -- receipts -------------------------------------------------------------------------------

    async def receipt(self, key: str, now: int) -> Receipt | None:
        """The request that has this Idempotency-Key; None when there is none, or its time is up."""

    async def answered(self, receipt: Receipt, answer: Answer) -> bool:
        """Record what the request of a receipt was answered, and the receipt where it is not kept yet.

        False, and nothing has changed, when the key is another request's or the answer is there already.
        Raises ValueError for a blob whose key is none of `jobs.answer_key`.
        """

    # -- housekeeping ---------------------------------------------------------------------------

    async def expire(self, now: int, *, limit: int) -> Sequence[Job]:
        """Remove up to `limit` ended jobs whose time is up, remembered for 30 days: as they were.

        Others wait while it works: some hundreds at a time are plenty.
        """

    async def stored(self) -> Stored:
        """Bytes of results and of images, as recorded now; cheap enough to ask at any time."""

    async def make_room(
        self, now: int, *, down_to: int, limit: int, spare: Collection[str] = ()
    ) -> Sequence[Job]:
        """Remove up to `limit` ended jobs that have results, until all results have `down_to` bytes at most.

        Those that ended first go first, in the order in which their ends were recorded, whatever the clock
        said, and are remembered for 30 days: as they were. The last one to end
        stays, however large it is: a result that nobody had time to fetch helps nobody. Jobs of the batches
        `spare` stay, too. None: that is all.
        """

    async def unneeded_images(self, now: int, *, limit: int) -> Sequence[str]:
        """Forget up to `limit` images whose time is up, or that only removed jobs had kept: their blob keys.

        Never one that a queued or running job needs.
        """

    async def expire_receipts(self, now: int, *, limit: int) -> tuple[int, Sequence[str]]:
        """Remove up to `limit` receipts whose time is up: how many, and the blob keys of their answers."""

    async def next_expiry(self) -> int | None:
        """When the next ended job, stored image or empty batch has had its time; None when none ever will."""

    async def known_keys(self, keys: Sequence[str]) -> frozenset[str]:
        """Which of these blob keys some image, result or answer names.

        What is being written is not named yet: blobs of attempts that run and of uploads that are not
        recorded are the caller's to know.
        """

    async def forget(self, now: int) -> None:
        """Drop memories of removals older than 30 days."""

    # -- settings of the queue ------------------------------------------------------------------

    async def paused(self) -> bool:
        """Is the queue paused? Kept over a restart."""

    async def set_paused(self, paused: bool) -> None:
        """Pause or resume the queue: while paused, nothing is claimed by the scheduler."""


def rank(created_at: int, priority: Priority, ageing_s: float) -> int:
    """A job's place in the line: a job gains one class for every `ageing_s` seconds it has waited.

    Waiting lifts all queued jobs alike, so their order never changes and one number per job, fixed at
    its creation, is the whole priority queue.
    """
    return created_at - round(priority.classes * ageing_s * 1000)
