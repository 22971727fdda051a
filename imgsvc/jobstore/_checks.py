"""What every job store refuses before it writes, and the cursors that its pages give."""

from __future__ import annotations

import re
from collections.abc import Sequence

from imgsvc.errors import Fault, InvalidParameter
from imgsvc.jobs import ANSWERS, Image, Job, Result, State, owner
from imgsvc.jobstore._receipts import Answer

_JOB, _BATCH = re.compile(r"job_[0-9a-f]{32}"), re.compile(r"bat_[0-9a-f]{32}")
_IMAGE = re.compile(r"([0-9]{1,15})-(img_[0-9a-f]{32})")

#: What sorts after every cursor: where a first page begins.
TOP = "~"
TOP_IMAGE = (1 << 62, TOP)


def check_job(job: Job) -> None:
    """Raises ValueError for a job that `add` must not record."""
    if job.state is not State.QUEUED:
        raise ValueError(f"a new job is queued, not {job.state}")
    if job.attempts or job.history or job.results or job.warnings or job.error:
        raise ValueError("a new job has no past")
    check_image(job.image)


def check_failed(job: Job) -> None:
    """Raises ValueError for a job that `add_failed` must not record."""
    if (
        job.state is not State.FAILED
        or job.error is None
        or job.finished_at is None
        or job.expires_at is None
    ):
        raise ValueError("a job that has failed says why and when, and when it expires")
    if job.attempts or job.history or job.results:
        raise ValueError("a job that failed before it was queued has no past")
    check_image(job.image)


def check_image(image: Image) -> None:
    """Raises ValueError for a blob key that does not carry its image's id."""
    if owner(image.key) != image.id:
        raise ValueError(f"the key {image.key!r} does not carry the id {image.id}")


def check_results(job: str, results: Sequence[Result]) -> None:
    """Raises ValueError for a blob key that does not carry its job's id."""
    for result in results:
        if owner(result.key) != job:
            raise ValueError(f"the key {result.key!r} does not carry the id {job}")


def check_answer(answer: Answer) -> None:
    """Raises ValueError for a blob that is not in the answers' room."""
    if answer.blob is not None and not answer.blob.startswith(ANSWERS):
        raise ValueError(f"the key {answer.blob!r} is not one of an answer")


def _bad_cursor() -> InvalidParameter:
    """The refusal of a cursor that no page of ours ever gave."""
    detail = "cursor is not one that a page of this list gave"
    return InvalidParameter(detail, errors=(Fault(detail=detail, pointer="/cursor"),))


def job_cursor(text: str | None) -> str:
    """Jobs older than this id are on the page. Raises InvalidParameter."""
    if text is None:
        return TOP
    if not _JOB.fullmatch(text):
        raise _bad_cursor()
    return text


def batch_cursor(text: str | None) -> str:
    """Batches older than this id are on the page. Raises InvalidParameter."""
    if text is None:
        return TOP
    if not _BATCH.fullmatch(text):
        raise _bad_cursor()
    return text


def image_cursor(text: str | None) -> tuple[int, str]:
    """Images before this time and id are on the page. Raises InvalidParameter."""
    if text is None:
        return TOP_IMAGE
    found = _IMAGE.fullmatch(text)
    if not found:
        raise _bad_cursor()
    return int(found[1]), found[2]


def image_cursor_of(image: Image) -> str:
    """The cursor of a page that ends with this image."""
    return f"{image.created_at}-{image.id}"
