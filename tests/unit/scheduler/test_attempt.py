"""What a report means for its job."""

from __future__ import annotations

from random import Random

import pytest

from imgsvc.errors import Problem
from imgsvc.imaging.limits import Limits
from imgsvc.jobs import Attempt, Job, State, Timings
from imgsvc.jobstore import Ending
from imgsvc.scheduler import Policy, attempt
from imgsvc.scheduler.attempt import Run, Terms, verdict
from imgsvc.scheduler.backoff import Backoff
from imgsvc.worker import Outcome, Report
from tests.unit.scheduler.parts import crash, job, refusal

NOW = 1_000_000


def running(*past: str, **changes: object) -> Job:
    """A running job whose earlier starts ended so."""
    history = [Attempt(attempt=n + 1, started_at=NOW, ended_at=NOW, outcome=o) for n, o in enumerate(past)]
    history.append(Attempt(attempt=len(past) + 1, started_at=NOW))
    return job(
        state=State.RUNNING,
        attempts=len(history),
        history=tuple(history),
        created_at=NOW - 50,
        started_at=NOW - 10,
        **changes,
    )


class Longest(Random):
    """Always the upper end."""

    def uniform(self, a: float, b: float) -> float:  # noqa: ARG002  # as Random has it
        return b


def ended(job: Job, report: Report, *, drained: bool = False, held: bool = False) -> Ending:
    terms = Terms(Policy(), Backoff(1, 60, Longest()), held=held)
    return verdict(job, Run(report, lane=2, run_ms=10, queue_ms=40, drained=drained), terms, NOW, settle_ms=1)


def failing(outcome: Outcome) -> Report:
    return Report(outcome=outcome, problem=Problem(code="storage-unavailable", detail="the disk is away"))


def test_success_ends_the_job_with_its_timings_filled() -> None:
    report = Report(outcome=Outcome.SUCCEEDED, cpu_ms=9, peak_memory_bytes=7, memory_method="vmhwm", pid=42)
    ending = ended(running(timings=Timings(upload_ms=3)), report)
    assert (ending.state, ending.outcome) == (State.SUCCEEDED, "succeeded")
    assert ending.timings == Timings(
        upload_ms=3,
        queue_ms=40,
        run_ms=10,
        total_ms=3 + 40 + 10 + 1,
        cpu_ms=9,
        peak_memory_bytes=7,
        memory_method="vmhwm",
        lane=2,
        pid=42,
    )


def test_a_refusal_fails_the_job_and_is_not_tried_again() -> None:
    ending = ended(running(), refusal())
    assert (ending.state, ending.outcome) == (State.FAILED, "failed")
    assert ending.error is not None
    assert ending.error.code == "image-corrupt"


def test_a_deadline_fails_the_job_and_is_not_tried_again() -> None:
    report = Report(outcome=Outcome.TIMED_OUT, problem=Problem(code="processing-timeout", detail="too slow"))
    ending = ended(running(), report)
    assert ending.state is State.FAILED
    assert ending.error is not None
    assert ending.error.code == "processing-timeout"


def test_a_crash_is_tried_again_after_a_pause_that_grows() -> None:
    for past, pause in ([], 1000), (["crashed"], 2000), (["lost", "crashed", "crashed"], 4000):
        ending = ended(running(*past, max_attempts=10), crash())
        assert (ending.state, ending.outcome) == (State.QUEUED, "crashed")
        assert ending.not_before == NOW + pause


def test_a_crash_of_work_in_quarantine_is_not_tried_again() -> None:
    ending = ended(running("crashed", max_attempts=10), crash(), held=True)
    assert (ending.state, ending.outcome) == (State.FAILED, "crashed")
    assert ending.error is not None
    assert ending.error.detail == "the worker died (SIGKILL)"


def test_an_interruption_of_work_in_quarantine_is_tried_again() -> None:
    assert ended(running(), failing(Outcome.INTERRUPTED), held=True).state is State.QUEUED


def test_the_last_crash_that_is_allowed_fails_the_job() -> None:
    ending = ended(running("crashed", "crashed"), crash())
    assert (ending.state, ending.outcome) == (State.FAILED, "crashed")
    assert ending.error is not None
    assert ending.error.code == "worker-crashed"


def test_one_attempt_means_that_the_first_crash_fails_the_job() -> None:
    assert ended(running(max_attempts=1), crash()).state is State.FAILED


@pytest.mark.parametrize("past", ["lost", "drained", "interrupted"])
def test_starts_that_did_not_crash_do_not_count_as_crashes(past: str) -> None:
    assert ended(running(past, past, past), crash()).state is State.QUEUED


def test_an_interruption_is_tried_again_with_growing_pauses() -> None:
    report = failing(Outcome.INTERRUPTED)
    pauses = []
    for count in range(15):
        ending = ended(running(*["interrupted"] * count), report)
        assert (ending.state, ending.outcome) == (State.QUEUED, "interrupted")
        assert ending.not_before is not None
        pauses.append((ending.not_before - NOW) / 1000)
    assert pauses == [1, 2, 4, 8, 16, 32, *[60] * 9]


def test_interruptions_without_end_fail_the_job_with_their_reason() -> None:
    ending = ended(running(*["interrupted"] * 15), failing(Outcome.INTERRUPTED))
    assert ending.state is State.FAILED
    assert ending.error is not None
    assert ending.error.code == "storage-unavailable"


def test_a_drained_start_goes_back_and_costs_nothing() -> None:
    ending = ended(running(), Report(outcome=Outcome.KILLED), drained=True)
    assert (ending.state, ending.outcome, ending.drained) == (State.QUEUED, "drained", True)


def test_a_task_that_succeeds_while_it_is_drained_has_succeeded() -> None:
    assert ended(running(), Report(outcome=Outcome.SUCCEEDED), drained=True).state is State.SUCCEEDED


def test_a_failure_without_a_reason_is_a_bug_of_ours() -> None:
    ending = ended(running(), Report(outcome=Outcome.REFUSED))
    assert ending.error is not None
    assert ending.error.code == "internal-error"


def test_each_start_writes_under_keys_of_its_own() -> None:
    first = running()
    second = running("crashed").evolve(id=first.id)
    keys = [attempt.task(each, "memory:", Limits()).targets[0].key for each in (first, second)]
    assert len(set(keys)) == 2
