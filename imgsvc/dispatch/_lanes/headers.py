"""What the desk's process does: it reads one header and says what it shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from imgsvc.bugs import Bug, tell
from imgsvc.errors import ImgsvcError, InternalError, Problem, StorageUnavailable, from_problem
from imgsvc.imaging import Facts, Limits, probe

#: What the desk does, as it is told.
_STEP = "probe"


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
    #: What a bug of ours tells, for the log only.
    bug: Bug | None = None

    def told(self) -> Facts:
        """The facts, or the problem raised; where the answer has come to, a bug is logged."""
        if self.bug is not None:
            tell("a header failed by a bug", self.bug)
        if self.problem is not None:
            raise from_problem(self.problem)
        assert self.facts is not None, "an answer is one or the other"  # noqa: S101  # a bug of ours
        return self.facts


def read(question: Mapping[str, Any], progress: Callable[[str], None]) -> dict[str, Any]:
    """Answer one question; never raises."""
    progress(_STEP)
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
    except Exception as error:  # noqa: BLE001  # whoever asks gets an answer
        problem = InternalError("something went wrong inside the service").problem
        return Answer(problem=problem, bug=Bug.of(error, _STEP))
