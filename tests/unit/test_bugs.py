"""What a bug tells is short, whatever the exception holds."""

from __future__ import annotations

import logging
from typing import NoReturn

import pytest
from typing_extensions import override

from imgsvc.bugs import Bug, tell


class Unspeakable(Exception):
    @override
    def __str__(self) -> str:
        raise RuntimeError("no")


def again(error: BaseException, depth: int) -> NoReturn:
    if depth:
        again(error, depth - 1)
    raise error


def caught(error: BaseException, depth: int = 0) -> BaseException:
    """The exception as it comes out of so many calls."""
    try:
        again(error, depth)
    except BaseException as found:  # noqa: BLE001  # whatever it is
        return found


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x" * 100_000),
        ValueError("\n" * 10_000),
        Unspeakable(),
        KeyboardInterrupt(),
        OSError(5, "é"),
    ],
)
@pytest.mark.parametrize("depth", [0, 200])
def test_a_bug_is_short_and_names_the_exception(error: BaseException, depth: int) -> None:
    bug = Bug.of(caught(error, depth), "decode")
    assert len(bug.traceback) <= 2500
    assert bug.step == "decode"
    assert type(error).__name__ in bug.traceback


def test_the_innermost_frame_and_the_message_are_kept() -> None:
    bug = Bug.of(caught(ZeroDivisionError("by nothing"), 200), None)
    assert bug.traceback.endswith("ZeroDivisionError: by nothing")


def test_a_line_has_the_ids_that_there_are(caplog: pytest.LogCaptureFixture) -> None:
    tell("it failed", Bug(step="decode", traceback="Traceback: x"), job="job_1", batch=None)
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "it failed")
    assert {"job": "job_1", "step": "decode", "exception": "Traceback: x"}.items() <= vars(record).items()
    assert not hasattr(record, "batch")
