"""What is made of an image: how it is asked for, known by, and handed over."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from imgsvc.errors import Problem, from_problem
from imgsvc.imaging.analysis import ANALYSIS_VERSION
from imgsvc.imaging.version import RENDER_VERSION
from imgsvc.jobs import Image, Step
from imgsvc.pipeline import Pipeline
from imgsvc.raster.geometry import Size
from imgsvc.service.blobs import Blob
from imgsvc.service.cache import Entry
from imgsvc.service.fills import Hold
from imgsvc.worker import Kind


class Way(StrEnum):
    """How a render was come by."""

    HIT = "hit"
    MISS = "miss"
    SHARED = "shared"


@dataclass(frozen=True, slots=True)
class Render:
    """A picture; close `blob` when it is sent."""

    entry: Entry
    blob: Blob
    way: Way
    #: What it took: milliseconds that it waited for a lane, and the steps of its making; nothing for a hit.
    queue_ms: float | None = None
    steps: Sequence[Step] = ()
    #: Is it here for now only, in place of one that takes longer?
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """A picture that has just been made, and what it took."""

    entry: Entry
    data: bytes
    queue_ms: float
    steps: Sequence[Step]


@dataclass(frozen=True, slots=True)
class Making:
    """Something to be made of an image: what it is known by, and what a worker is told."""

    #: sha256 of all that its bytes depend on.
    digest: str
    spec: str
    kind: Kind = Kind.RENDER
    #: None: the image is stored.
    hold: Hold | None = None
    #: What is rendered, where anything is.
    pipeline: Pipeline | None = None
    #: May the image itself be the picture, in another format?
    or_source: bool = False


def analysis(image: Image) -> Making:
    """What is told of an image (`/v1/images/{id}/info`)."""
    parts = (image.sha256, "analysis", str(ANALYSIS_VERSION))
    return Making(hashlib.sha256("\n".join(parts).encode()).hexdigest(), "analyse", Kind.ANALYSE)


def rendering(image: Image, pipeline: Pipeline, path: str = "direct") -> Making:
    """A picture of an image; `path` as `digest` has it."""
    or_source = pipeline.or_source and pipeline.changes_nothing(Size(image.width, image.height))
    if or_source:
        path = f"{path}, or the source"
    return Making(digest(image, pipeline, path), pipeline.text, pipeline=pipeline, or_source=or_source)


def digest(image: Image, pipeline: Pipeline, path: str = "direct") -> str:
    """What a render is known by: sha256 of all that its bytes depend on.

    `path` says what it is made from: the original's pixels, or those of a reduced master; and whether it may
    be the image itself.
    """
    encoder = Pipeline((), pipeline.encoder(image.format))
    parts = (image.sha256, pipeline.full_text, encoder.full_text, path, str(RENDER_VERSION))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def told(made: Made | Problem, way: Way) -> Render:
    """What was made, for one of those who wait; raises what went wrong."""
    if isinstance(made, Problem):
        raise from_problem(made)
    blob = Blob(made.entry.bytes, data=made.data)
    return Render(made.entry, blob, way, round(made.queue_ms, 3), made.steps)
