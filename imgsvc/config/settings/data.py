"""The settings of what is kept: where it lies, how much of it, and until when."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from imgsvc.config.kinds import About, Bytes, Folder, Seconds, Url, Whole
from imgsvc.config.settings.group import Group
from imgsvc.config.settings.units import DAY, GIB, MIB


class Data(Group):
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
    ] = 7 * DAY
    result_bytes: Annotated[
        int | None,
        Bytes(0, none=True),
        About(
            "The most bytes of all results together; 0: no cap. Past it the jobs that ended first go before "
            "their time, down to nine tenths of it, and answer 410 as if they had expired.",
            "A million results of a web page's size; what nobody fetches can't fill the disk.",
        ),
    ] = 20 * GIB
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
        Seconds(0.1, 365 * DAY),
        About(
            "How long an `Idempotency-Key` is remembered, with the answer that its repeats are given.",
            "Clients that try again do so within minutes; a day also bridges an outage over night.",
        ),
    ] = DAY
    disk_reserve: Annotated[
        int,
        Bytes(0),
        About(
            "New work is refused (507) when less than this is free on the disk.",
            "Room for the results of what was accepted, the database and the neighbours on that disk.",
        ),
    ] = 512 * MIB
    cache_bytes: Annotated[
        int,
        Bytes(0),
        About(
            "Room on the disk for cached renders (`/r/`); those that were not asked for longest go first. "
            "0: none are kept.",
            "Some ten thousand pictures of a web page's size.",
        ),
    ] = GIB
    cache_memory: Annotated[
        int,
        Bytes(0),
        About(
            "Memory for cached renders of at most 256 KiB, beside the disk.",
            "A thousand pictures of a web page's size, which are then served without a look at the disk.",
        ),
    ] = 32 * MIB
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
    ] = 2 * GIB
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
        Seconds(0.1, DAY),
        About(
            "How often what has expired and what no record names is removed.",
            "A sweep of an empty house takes milliseconds; a minute late is early enough.",
        ),
    ] = 60.0
