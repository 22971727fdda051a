"""What the operator decided about jobs and calls, as one value: nothing below the wiring reads settings."""

from __future__ import annotations

from dataclasses import dataclass

_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Policy:
    """Bounds and durations for the scheduler and the service; the defaults are those of the settings."""

    #: Seconds that a job or a call may run; a job may ask for less.
    job_timeout_s: float = 30.0
    #: Seconds that a synchronous call waits for a lane.
    sync_wait_s: float = 10.0
    #: Starts that a job may cost when its worker dies under it.
    max_attempts: int = 3
    #: Starts that a job may lose with the server (design/api.md).
    max_lost: int = 5
    #: Starts that a job may lose to a storage that fails: five minutes with the pauses between them, on
    #: average.
    max_interrupted: int = 16
    #: Seconds: the longest pause before a job's second try, doubled with each failure up to the cap.
    retry_base_s: float = 1.0
    retry_cap_s: float = 60.0
    #: Workers that the same work may lose in a row before it is refused, and the seconds that it then is.
    quarantine_after: int = 2
    quarantine_s: float = 600.0
    #: Seconds that a job, its results and the image that came with it are kept after its end.
    retention_s: float = 7 * _DAY
    #: Bytes of all results; past that the jobs that ended first go before their time. None: no cap.
    result_bytes: int | None = 20 * 2**30
    #: Seconds that an image stored for its own sake is kept; None: until it is deleted.
    image_retention_s: float | None = None
    #: Seconds that an Idempotency-Key is remembered, and the answer under it.
    idempotency_retention_s: float = _DAY
    #: Seconds in which a waiting job gains one class of priority.
    ageing_s: float = 60.0
    #: Bytes of one uploaded image.
    max_body: int = 64 * 2**20
    #: Jobs that may wait, and the bytes of images that may wait with them.
    queue_limit: int = 20_000
    queue_bytes: int = 20 * 2**30
    #: Bodies that may come in at once, calls with their work among them.
    uploads: int = 256
    #: Jobs that a batch may have.
    batch_jobs: int = 50_000
    #: Bytes that must be free on the disk for new work to be taken.
    disk_reserve: int = 512 * 2**20
    #: Pieces of spare work that may wait for an idle lane; the ones that came first are dropped.
    spare_tasks: int = 100
    #: Bytes of cached renders on the disk, and of small ones in memory as well.
    cache_bytes: int = 2**30
    cache_memory: int = 32 * 2**20
    #: Bytes of copies of source files that are kept for the next render of the same file.
    source_copies: int = 256 * 2**20
    #: Seconds that encoding an AVIF may take where the client waits and would do with something else.
    avif_budget_s: float = 1.0
    #: The longest side of reduced masters (0: there are none), and the bytes of all of them.
    master_side: int = 2048
    master_bytes: int = 2 * 2**30
    #: Seconds that a render that failed is not tried again.
    render_failures_s: float = 10.0
    #: Seconds between two sweeps.
    sweep_interval_s: float = 60.0
