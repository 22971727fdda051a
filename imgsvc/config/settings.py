"""Every setting of the service, with its default and the reason for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from imgsvc.config.cpus import granted_cpus
from imgsvc.config.keys import SigningKeys
from imgsvc.config.kinds import (
    About,
    Bytes,
    Choice,
    Flag,
    Folder,
    Names,
    Number,
    Pixels,
    Seconds,
    Text,
    Url,
    WebAddress,
    Whole,
)
from imgsvc.config.places import Place, usual_file
from imgsvc.signing import Keyring

PREFIX = "IMGSVC_"

_MIB = 2**20
_GIB = 2**30
_DAY = 86400.0


class _Group(BaseSettings):
    # `extra` is load()'s business: it names the nearest settings too.
    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True, extra="forbid")


class Door(_Group):
    """Where the service listens, and for how long"""

    host: Annotated[
        str,
        Text("an address or a host name"),
        About(
            "The address to listen on.",
            "Only this machine: there is no authentication, so reaching further is a decision.",
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        Whole(0, 65535),
        About("The port to listen on; 0 takes a free one, which is printed.", "The usual one."),
    ] = 8000
    public_url: Annotated[
        str | None,
        WebAddress(),
        About(
            "The address under which browsers reach the service, where it stands behind a proxy. It goes "
            "in front of the links of `pictures`, which are for pages elsewhere, and of what `imgsvc sign` "
            "prints; all other links in documents are absolute paths, `/v1/jobs/…`.",
            "Paths work wherever the page and the service have one address.",
        ),
    ] = None
    cors_origins: Annotated[
        tuple[str, ...],
        NoDecode,
        Names(),
        About(
            "Web origins whose pages may call the API, separated by commas; `*` for all.",
            "No page of another site can use the service unless you say so.",
        ),
    ] = ()
    keep_alive: Annotated[
        float,
        Seconds(1, 3600),
        About(
            "How long an idle connection is kept open.",
            "Longer than the 60 s of common proxies, so that they never write into a closing connection.",
        ),
    ] = 75.0
    header_timeout: Annotated[
        float,
        Seconds(0.1, 3600),
        About(
            "How long a request's headers may take to arrive; 408 after that.",
            "Headers are one packet or two; only an attacker needs longer.",
        ),
    ] = 10.0
    body_timeout: Annotated[
        float,
        Seconds(0.1, 3600),
        About(
            "How long an upload may make no progress; 408 after that, and also below 1 KiB/s.",
            "Bridges the gaps of a mobile network without holding a connection for ever.",
        ),
    ] = 30.0
    start_patience: Annotated[
        float,
        Seconds(0, 3600),
        About(
            "How long a start waits for a database that another process has locked, or a disk that is full, "
            "before it fails.",
            "Outlasts a backup or a log rotation; systemd gives up on what fails five times in ten seconds.",
        ),
    ] = 30.0
    shutdown_grace: Annotated[
        float,
        Seconds(0, 3600),
        About(
            "How long running work may go on after SIGTERM; the rest goes back to the queue.",
            "Kubernetes kills after 30 s; ten of them are left to write everything down.",
        ),
    ] = 20.0


class Data(_Group):
    """Where things are kept, and for how long"""

    data_dir: Annotated[
        Path,
        Folder(),
        About(
            "The folder for images, results and the database; a relative path starts at the current "
            "directory. Only one server may use it at a time.",
            "In the project, so that nothing else is touched.",
        ),
    ] = Field(default=Path("uploads"), validate_default=True)
    storage: Annotated[
        str,
        Url("file:///srv/imgsvc"),
        About("Where images and results live; the scheme picks the module.", "Files below `DATA_DIR`."),
    ] = Field(default_factory=lambda known: f"file://{known['data_dir']}")
    jobs: Annotated[
        str,
        Url("sqlite:///srv/imgsvc/imgsvc.sqlite3"),
        About("Where the record of jobs lives; the scheme picks the module.", "A file in `DATA_DIR`."),
    ] = Field(default_factory=lambda known: f"sqlite://{known['data_dir']}/imgsvc.sqlite3")
    retention: Annotated[
        float,
        Seconds(0.1),
        About(
            "How long a job, its results and the image that came with it are kept after its end.",
            "Time enough to fetch a result after a weekend; a job may ask for less or more.",
        ),
    ] = 7 * _DAY
    result_bytes: Annotated[
        int | None,
        Bytes(0, none=True),
        About(
            "The most bytes of all results together; 0: no cap. Past it the jobs that ended first go before "
            "their time, down to nine tenths of it, and answer 410 as if they had expired.",
            "A million results of a web page's size; what nobody fetches can't fill the disk.",
        ),
    ] = 20 * _GIB
    image_retention: Annotated[
        float | None,
        Seconds(0.1, none=True),
        About(
            "How long an image stored by `POST /v1/images` is kept.",
            "It was stored to stay: it goes when it is deleted.",
        ),
    ] = None
    idempotency_retention: Annotated[
        float,
        Seconds(0.1, 365 * _DAY),
        About(
            "How long an `Idempotency-Key` is remembered, with the answer that its repeats are given.",
            "Clients that try again do so within minutes; a day also bridges an outage over night.",
        ),
    ] = _DAY
    disk_reserve: Annotated[
        int,
        Bytes(0),
        About(
            "New work is refused (507) when less than this is free on the disk.",
            "Room for the results of what was accepted, the database and the neighbours on that disk.",
        ),
    ] = 512 * _MIB
    cache_bytes: Annotated[
        int,
        Bytes(0),
        About(
            "Room on the disk for cached renders (`/r/`); those that were not asked for longest go first. "
            "0: none are kept.",
            "Some ten thousand pictures of a web page's size.",
        ),
    ] = _GIB
    cache_memory: Annotated[
        int,
        Bytes(0),
        About(
            "Memory for cached renders of at most 256 KiB, beside the disk.",
            "A thousand pictures of a web page's size, which are then served without a look at the disk.",
        ),
    ] = 32 * _MIB
    master_side: Annotated[
        int,
        Whole(0, 16384),
        About(
            "The longest side of reduced masters: what renders of larger still images start from, where that "
            "is enough. A JPEG decoder's own halves may have half as much again. 0: there are none.",
            "What web pages show of a photograph is at most two thirds of it.",
        ),
    ] = 2048
    master_bytes: Annotated[
        int,
        Bytes(0),
        About(
            "Room on the disk for reduced masters; those that were not used for longest go first. 0: there "
            "are none.",
            "Those of some 130 photographs of 12 MP, 16 MB each: more than are looked at in the same hour.",
        ),
    ] = 2 * _GIB
    avif_budget: Annotated[
        float,
        Seconds(0, 600),
        About(
            "How long encoding an AVIF may take where `auto` chose it and somebody waits: what would take "
            "longer is WebP for now (`no-store`), and AVIF for the next request. 0: WebP first, always.",
            "What a page's reader forgives once; 2 to 4 megapixels.",
        ),
    ] = 1.0
    render_failures: Annotated[
        float,
        Seconds(0, 3600),
        About(
            "How long a render that failed is answered with the same failure, without another try; 0: it is "
            "not.",
            "A page with a broken picture costs one task, and what was mended shows soon.",
        ),
    ] = 10.0
    sweep_interval: Annotated[
        float,
        Seconds(0.1, _DAY),
        About(
            "How often what has expired and what no record names is removed.",
            "A sweep of an empty house takes milliseconds; a minute late is early enough.",
        ),
    ] = 60.0


class Images(_Group):
    """What is taken and what is made"""

    max_body: Annotated[
        int,
        Bytes(1),
        About("The most bytes of one image.", "The largest camera JPEGs have 50 MB."),
    ] = 64 * _MIB
    max_pixels: Annotated[
        int,
        Pixels(1),
        About(
            "The most pixels of one image, width × height × frames.",
            "Every phone's and nearly every camera's pictures; a full decode takes up to 200 MB.",
        ),
    ] = 50_000_000
    max_side: Annotated[
        int,
        Whole(1, 65500),
        About("The longest side of an image, in pixels.", "WebP and common decoders stop near here too."),
    ] = 16384
    max_frames: Annotated[
        int,
        Whole(1),
        About("The most frames of an animation.", "Several seconds at the usual rates."),
    ] = 100
    max_scans: Annotated[
        int,
        Whole(1),
        About(
            "The most scans of a JPEG.",
            "Encoders make at most 14; each one costs a pass over all pixels, and bombs have thousands.",
        ),
    ] = 100
    max_pieces: Annotated[
        int,
        Whole(100),
        About(
            "Reads that a file may take for its chunks, segments and blocks, besides one for each 100 bytes "
            "(40 in a GIF).",
            "A photograph takes 50, a drawing of 5 MB 2,000; bombs have millions of empty ones.",
        ),
    ] = 20_000
    max_output_pixels: Annotated[
        int,
        Pixels(1),
        About("The most pixels after any operation, width × height × frames.", "As for sources."),
    ] = 50_000_000
    max_outputs: Annotated[
        int,
        Whole(1),
        About(
            "The most results of one job: its outputs, those with `widths` counted as widths × formats.",
            "Twenty widths in three formats; all of them are in memory until the last one is made.",
        ),
    ] = 60
    input_formats: Annotated[
        tuple[str, ...],
        NoDecode,
        Names(some=True),
        About("The formats that are taken, separated by commas.", "What browsers show."),
    ] = ("jpeg", "png", "webp", "gif", "avif")
    config: Annotated[
        Path | None,
        Place("a file"),
        About(
            "The file that defines presets; it is read at start.",
            "Beside the service where there is one; a file that is named must be there.",
        ),
    ] = Field(default_factory=usual_file)
    presets_only: Annotated[
        bool,
        Flag(),
        About(
            "Renders (`/r/`) take one preset and nothing else; jobs and `/v1/process` take everything.",
            "Off: renders that are signed, or that only friends can ask for, need no such fence.",
        ),
    ] = False
    reduce_gap: Annotated[
        float,
        Number(1, 16),
        About(
            "How many times larger than needed a reduced JPEG decode must stay; 1 is fastest.",
            "1.5 keeps the result within reach of a full decode (docs/performance.md has the PSNR).",
        ),
    ] = 1.5


class Delivery(_Group):
    """What pages are given, and by which links"""

    signing_keys: Annotated[
        Keyring | None,
        NoDecode,
        SigningKeys(),
        About(
            "Keys that sign links: renders (`/r/`) are then only given to links that one of them has signed. "
            "The first key signs, all verify. Never shown (docs/signing.md).",
            "Without keys renders are open: right for one's own machine, and behind what knows its users.",
        ),
    ] = None
    signed_results: Annotated[
        bool,
        Flag(),
        About(
            "Results of jobs too are only given to links that are signed; it needs `SIGNING_KEYS` "
            "(docs/signing.md).",
            "Off: whoever may use the API gets results by the links in a job's document, which have no end.",
        ),
    ] = False

    sources_dir: Annotated[
        Path | None,
        Place("a folder"),
        About(
            "A folder with pictures that are rendered where they lie, as `/r/@path/to/file.jpg/…`; it is "
            "only read (docs/sources.md).",
            "What lies on a disk is shown to nobody unless you say which part of it.",
        ),
    ] = None
    source_copies: Annotated[
        int,
        Bytes(0),
        About(
            "Room for copies of files of `SOURCES_DIR`, which workers read; the last ones stay for the next "
            "render of the same file.",
            "Some sixty photographs; a copy costs a few milliseconds, and workers never see the folder.",
        ),
    ] = 256 * _MIB


class Work(_Group):
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
        Bytes(128 * _MIB, none=True),
        About(
            "Address space that a worker may use.",
            "50 MP decoded, turned and resized with room to spare; a bomb meets it instead of the machine.",
        ),
    ] = 1536 * _MIB
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
        Bytes(64 * _MIB),
        About(
            "Resident memory after a task beyond which a worker process is replaced.",
            "One starts with 60 MB and keeps up to 256 MiB of what it has freed; what is above both has "
            "leaked or is in pieces.",
        ),
    ] = 384 * _MIB
    job_timeout: Annotated[
        float,
        Seconds(0.05, 7 * _DAY),
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
        Seconds(0, _DAY),
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
        Seconds(0, 30 * _DAY),
        About(
            "How long such work is refused without a try; 0: it never is.",
            "A lane loses a third of a second to each crash: two in ten minutes nobody notices, and after a "
            "mistake (someone killed the workers) the work is not shut out for long.",
        ),
    ] = 600.0
    priority_ageing: Annotated[
        float,
        Seconds(0.001, 30 * _DAY),
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
    ] = 20 * _GIB
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
            "Tasks that wait for an idle lane: what is worth doing while nobody waits; of more the oldest "
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


class Watching(_Group):
    """How it is watched and tested"""

    log_format: Annotated[
        Literal["auto", "json", "console"],
        Choice(("auto", "json", "console")),
        About("How log lines look.", "`auto`: for people on a terminal, JSON everywhere else."),
    ] = "auto"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Choice(("debug", "info", "warning", "error")),
        About("The least important lines that are written.", "One line per job and per call."),
    ] = "info"
    test_operations: Annotated[
        bool,
        Flag(),
        About(
            "Adds operations that sleep, spin, crash and eat memory. Never in production.",
            "Off; while it is on, `/readyz` says so.",
        ),
    ] = False


class Settings(Door, Data, Images, Delivery, Work, Watching):
    """Everything that the environment decides; read once, never changed."""


#: The groups in the order in which people should read them.
GROUPS: tuple[type[_Group], ...] = (Door, Data, Images, Delivery, Work, Watching)
