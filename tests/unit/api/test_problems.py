from __future__ import annotations

import math

import orjson
import pytest

from imgsvc import errors
from imgsvc.api import problems
from imgsvc.errors import ERRORS, Fault, ImgsvcError

#: The table of design/api.md, as far as it is built.
CONTRACT = {
    400: {"empty-file", "malformed-multipart", "malformed-request"},
    404: {"not-found"},
    405: {"method-not-allowed"},
    408: {"request-timeout"},
    409: {"job-not-finished", "job-canceled", "image-in-use"},
    410: {"result-expired"},
    413: {"body-too-large"},
    415: {"unsupported-media-type"},
    416: {"range-not-satisfiable"},
    422: {
        "missing-file",
        "too-many-files",
        "invalid-operation",
        "invalid-parameter",
        "image-corrupt",
        "image-too-many-pixels",
        "image-dimension-too-large",
        "image-too-many-frames",
        "image-too-complex",
        "image-too-large-for-memory",
        "output-too-large",
        "processing-timeout",
        "worker-crashed",
    },
    431: {"headers-too-large"},
    500: {"internal-error"},
    503: {"queue-full", "queue-timeout", "draining", "storage-busy", "storage-unavailable"},
    507: {"insufficient-storage"},
}


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_every_error_has_a_status_and_a_page(code: str) -> None:
    cls = ERRORS[code]
    assert cls in problems.STATUS
    title, _ = problems.about(cls)
    assert title
    assert not title.endswith(".")
    assert "\n" not in title


def test_the_table_is_that_of_the_contract() -> None:
    for status, codes in CONTRACT.items():
        for code in codes:
            assert problems.status_of(code) == status, code


def test_the_table_has_no_strangers() -> None:
    assert set(problems.STATUS) == set(ERRORS.values())


def test_a_problem_says_what_is_wrong_and_what_is_allowed() -> None:
    fault = Fault(detail="limit can't be 'x'", pointer="/limit", allowed="1 to 200")
    error = errors.InvalidParameter("limit can't be 'x'", errors=(fault,))
    shown = orjson.loads(problems.answer(error, "req_1").body)
    assert shown == {
        "type": "/problems/invalid-parameter",
        "title": "A parameter of the request is not valid",
        "status": 422,
        "detail": "limit can't be 'x'",
        "code": "invalid-parameter",
        "request_id": "req_1",
        "errors": [{"detail": "limit can't be 'x'", "pointer": "/limit", "allowed": "1 to 200"}],
    }


def test_limits_and_what_is_supported_are_told_where_they_apply() -> None:
    shown = problems.document(
        errors.UnsupportedMediaType("not an image", limit=1, actual=0, supported=("jpeg", "png")).problem
    )
    assert (shown["limit"], shown["actual"], shown["supported"]) == (1, 0, ["jpeg", "png"])


def test_an_unknown_code_is_an_internal_error() -> None:
    shown = problems.document(errors.Problem(code="of-another-version", detail="?"))
    assert (shown["code"], shown["status"]) == ("internal-error", 500)


@pytest.mark.parametrize("cls", sorted(errors.Unavailable.__subclasses__(), key=str))
def test_who_is_turned_away_is_told_when_to_come_back(cls: type[ImgsvcError]) -> None:
    assert int(problems.answer(cls("later"), None).headers["retry-after"]) >= 1


@pytest.mark.parametrize(("given", "told"), [(0.2, 1), (7.1, 8), (9999.0, 300)])
def test_the_time_to_come_back_is_in_bounds(given: float, told: int) -> None:
    answer = problems.answer(errors.QueueFull("later", retry_after=given), None)
    assert answer.headers["retry-after"] == str(told)
    assert math.isfinite(told)


def test_an_answer_is_never_kept_by_caches() -> None:
    assert problems.answer(errors.NotFound("?"), None).headers["cache-control"] == "no-store"
