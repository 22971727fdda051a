"""The settings of lanes and of the line before them: how much, how long, how often."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from imgsvc.config.cpus import granted_cpus
from imgsvc.config.kinds import About, Bytes, Seconds, Url, Whole
from imgsvc.config.settings.group import Group
from imgsvc.config.settings.units import DAY, GIB, MIB


class Work(Group):
    """How work is done"""

    workers: Annotated[
        int,
        Whole(1, 1024),
        About("Lanes: worker processes with one task each.", "The CPUs that affinity and cgroup grant."),
    ] = Field(default_factory=granted_cpus)
    dispatch: Annotated[
        str,
        Url("loky:"),
        About("Who runs tasks; the scheme picks the module.", "Local processes that can be killed alone."),
    ] = "loky:"
    worker_memory: Annotated[
        int | None,
        Bytes(128 * MIB, none=True),
        About(
            "Address space that a worker may use.",
            "50 MP decoded, turned and resized with room to spare; a bomb meets it instead of the machine.",
        ),
    ] = 1536 * MIB
    spare_workers: Annotated[
        int,
        Whole(0, 64),
        About(
            "Worker processes that stand by, up and idle, for a lane whose process is killed or dies.",
            "Such a lane goes on at once, also where a new process takes its time; it costs some megabytes.",
        ),
    ] = 1
    lane_tasks: Annotated[
        int,
        Whole(1),
        About(
            "Tasks after which a worker process is replaced.",
            "What leaks in a C library stays small; 0.1 s each thousand tasks.",
        ),
    ] = 1000
    lane_rss: Annotated[
        int,
        Bytes(64 * MIB),
        About(
            "Resident memory after a task beyond which a worker process is replaced.",
            "One starts with 60 MB and keeps up to 256 MiB of what it has freed; what is above both has "
            "leaked or is in pieces.",
        ),
    ] = 384 * MIB
    job_timeout: Annotated[
        float,
        Seconds(0.05, 7 * DAY),
        About(
            "How long a job may run; its worker is killed then.",
            "A hundred times what a photograph takes, and short enough to free a lane from a bomb.",
        ),
    ] = 30.0
    sync_wait: Annotated[
        float,
        Seconds(0, 600),
        About(
            "How long a synchronous call waits for a lane before it is told to come back (503).",
            "Shorter than the time-outs of common clients and proxies.",
        ),
    ] = 10.0
    max_attempts: Annotated[
        int,
        Whole(1, 100),
        About(
            "Starts that a job may cost when its worker dies under it.",
            "One crash may be bad luck, three are the image's doing.",
        ),
    ] = 3
    retry_base: Annotated[
        float,
        Seconds(0, 3600),
        About(
            "The longest pause before a job's second try, doubled with each failure; the pause itself is "
            "random between nothing and that.",
            "Time for the kernel to free what the worker held; half of the jobs start sooner.",
        ),
    ] = 1.0
    retry_cap: Annotated[
        float,
        Seconds(0, DAY),
        About(
            "The longest pause between two tries of a job, however often it has failed.",
            "A disk that comes back is noticed within a minute.",
        ),
    ] = 60.0
    quarantine_after: Annotated[
        int,
        Whole(1, 100),
        About(
            "Workers that the same picture with the same pipelines may lose in a row before it is refused.",
            "Once may be the machine's doing, twice in a row is the work's.",
        ),
    ] = 2
    quarantine: Annotated[
        float,
        Seconds(0, 30 * DAY),
        About(
            "How long such work is refused without a try; 0: it never is.",
            "A lane loses a third of a second to each crash: two in ten minutes nobody notices, and after a "
            "mistake (someone killed the workers) the work is not shut out for long.",
        ),
    ] = 600.0
    priority_ageing: Annotated[
        float,
        Seconds(0.001, 30 * DAY),
        About(
            "A waiting job gains one class of priority in this time.",
            "A `low` job is overtaken only by what comes within two of these after it, so it never starves.",
        ),
    ] = 60.0
    queue_limit: Annotated[
        int,
        Whole(1),
        About("The most jobs that may wait; 503 beyond.", "Half an hour and more of work for two CPUs."),
    ] = 20000
    queue_bytes: Annotated[
        int,
        Bytes(1),
        About("The most bytes of images that may wait; 503 beyond.", "A small disk holds it."),
    ] = 20 * GIB
    uploads: Annotated[
        int,
        Whole(1),
        About(
            "The most bodies that come in at once, synchronous calls with their work among them; the next "
            "ones wait two seconds, then 503.",
            "Each holds a file and up to 0.5 MB of memory; more at once would not be there sooner.",
        ),
    ] = 256
    spare_tasks: Annotated[
        int,
        Whole(0, 100_000),
        About(
            "Tasks, and images that lack masters, that wait for an idle lane; of more of either the oldest "
            "are dropped, and 0 means that there are none.",
            "Some ten seconds of idle lanes; what was asked for long ago is seldom asked for again.",
        ),
    ] = 100
    batch_jobs: Annotated[
        int,
        Whole(1),
        About(
            "The most jobs of a batch; 422 beyond.",
            "Two full queues and more; the directory of their archive takes some 30 MB of memory.",
        ),
    ] = 50_000
    batch_files: Annotated[
        int,
        Whole(1),
        About(
            "The most files of one form that makes a batch; 422 beyond.",
            "One connection that breaks costs all of them: more should join an open batch one by one.",
        ),
    ] = 1000
