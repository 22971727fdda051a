"""What the desk's process does: it reads one header and says what it shows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from imgsvc.errors import ImgsvcError, InternalError, Problem, StorageUnavailable
from imgsvc.imaging import Facts, Limits, probe

_log = logging.getLogger(__name__)


class Question(BaseModel):
    """A local file, and what is refused."""

    model_config = ConfigDict(frozen=True)

    path: Path
    limits: Limits


class Answer(BaseModel):
    """What its header shows, or why it is refused."""

    model_config = ConfigDict(frozen=True)

    facts: Facts | None = None
    problem: Problem | None = None


def read(question: Mapping[str, Any], progress: Callable[[str], None]) -> dict[str, Any]:
    """Answer one question; never raises."""
    progress("probe")
    return answer(Question.model_validate(question)).model_dump(mode="json")


def answer(question: Question) -> Answer:
    """See `read`."""
    try:
        with question.path.open("rb") as file:
            return Answer(facts=probe(file, question.limits))
    except ImgsvcError as error:
        return Answer(problem=error.problem)
    except OSError:
        return Answer(problem=StorageUnavailable("the upload can't be read").problem)
    except Exception:  # noqa: BLE001  # whoever asks gets an answer
        _log.exception("a header failed by a bug")
        return Answer(problem=InternalError("something went wrong inside the service").problem)
