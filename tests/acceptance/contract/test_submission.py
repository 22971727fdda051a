"""Three ways to submit a job, the same fields in each, and what is refused."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from tests.acceptance.contract.client import ENDED, Api, Document, document, fresh, problem

OPS = "resize:30x20,fit=fill/grayscale/png"


def spec(found: Document) -> str:
    (output,) = found["outputs"]
    assert isinstance(output["spec"], str)
    return output["spec"]


def test_acceptance_names_the_job_and_when_to_ask(house: Api) -> None:
    answer = house.raw(fresh(), ops=OPS)
    assert answer.status_code == 202
    found = document(answer)
    assert answer.headers["location"] == f"/v1/jobs/{found['id']}"
    assert 0 <= int(answer.headers["retry-after"]) <= 300


@pytest.mark.parametrize(
    "type_",
    [
        "application/x-www-form-urlencoded",
        "image/png",
        "text/plain",
        "application/octet-stream",
        "nonsense",
        "",
    ],
)
def test_every_other_content_type_is_a_raw_image(house: Api, type_: str) -> None:
    answer = house.raw(fresh(), ops=OPS, headers={"Content-Type": type_} if type_ else None)
    assert answer.status_code == 202, answer.text
    found = house.ended(document(answer)["id"])
    assert found["status"] == "succeeded"
    assert found["image"]["content_type"] == "image/jpeg"


def test_fields_may_follow_the_file(house: Api) -> None:
    picture = fresh()
    for first in (True, False):
        parts = [("ops", (None, OPS.encode())), ("reference", (None, b"r1"))]
        file = ("file", ("a.jpg", picture))
        files = [*parts, file] if first else [file, *parts]
        answer = house.post("/v1/jobs", files=files)
        assert answer.status_code == 202, answer.text
        assert spec(document(answer)) == OPS
        assert document(answer)["reference"] == "r1"


def test_a_stored_image_is_a_source(house: Api) -> None:
    picture = fresh()
    image = document(house.raw(picture, path="/v1/images"))
    answer = house.post("/v1/jobs", json={"source": {"image": image["id"]}, "ops": OPS, "reference": "json"})
    assert answer.status_code == 202, answer.text
    found = house.ended(document(answer)["id"])
    assert (found["status"], found["reference"], spec(found)) == ("succeeded", "json", OPS)
    assert found["image"]["id"] == image["id"]
    assert found["image"]["bytes"] == len(picture)


def test_an_unknown_stored_image_is_not_found(house: Api) -> None:
    for image in ("img_" + "0" * 32, "img_x", "../etc/passwd"):
        answer = house.post("/v1/jobs", json={"source": {"image": image}, "ops": OPS})
        problem(answer, 404, "not-found")


@pytest.mark.parametrize(
    "body",
    [
        *(b"{", b"", b"[]", b"null", b'"text"', b"\xff\xfe", b"[" * 100_000),
        *(b'{"ops":"png"}', b'{"source":{},"ops":"png"}', b'{"source":7,"ops":"png"}'),
        b'{"source":{"image":5},"ops":"png"}',
    ],
)
def test_broken_json_is_malformed(house: Api, body: bytes) -> None:
    answer = house.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}, answer.text
    problem(
        answer, answer.status_code, "malformed-request", "invalid-parameter", "missing-file", "empty-file"
    )
    house.is_fine()


def test_all_transports_and_forms_mean_the_same(house: Api) -> None:
    picture = fresh()
    image = document(house.raw(picture, path="/v1/images"))["id"]
    objects = [{"op": "resize", "size": "30x20", "fit": "fill"}, {"op": "grayscale"}, {"op": "png"}]
    sides = [{"op": "resize", "width": 30, "height": 20, "fit": "fill"}, {"op": "grayscale"}, {"op": "png"}]
    texts = ["resize:30x20,fit=fill", "grayscale", "png"]
    answers = []
    for ops in (OPS, json.dumps(texts), json.dumps(objects), json.dumps(sides)):
        answers += [house.raw(picture, ops=ops), house.form(picture, ops=ops)]
        answers += [house.post("/v1/jobs", json={"source": {"image": image}, "ops": ops})]
    for value in (texts, objects, sides):
        answers += [house.post("/v1/jobs", json={"source": {"image": image}, "ops": value})]
    outputs = {"default": OPS}
    answers += [
        house.raw(picture, outputs=json.dumps(outputs)),
        house.form(picture, outputs=json.dumps(outputs)),
    ]
    answers += [house.post("/v1/jobs", json={"source": {"image": image}, "outputs": outputs})]
    answers += [house.post("/v1/jobs", json={"source": {"image": image}, "outputs": {"default": objects}})]
    jobs = [document(answer) for answer in answers]
    assert {spec(job) for job in jobs} == {OPS}
    results = {house.get(house.ended(job["id"])["results"][0]["url"]).content for job in jobs}
    assert len(results) == 1


def test_ops_and_outputs_together_or_neither_are_malformed(house: Api) -> None:
    picture = fresh()
    image = document(house.raw(picture, path="/v1/images"))["id"]
    both: dict[str, Any] = {"ops": OPS, "outputs": json.dumps({"a": OPS})}
    nothing: dict[str, Any] = {}
    for fields in (both, nothing):
        problem(house.raw(picture, **fields), 400, "malformed-request")
        problem(house.form(picture, **fields), 400, "malformed-request")
        problem(house.post("/v1/jobs", json={"source": {"image": image}, **fields}), 400, "malformed-request")


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"ops": OPS}, {"/source"}),
        ({"image": "img_1", "ops": OPS}, {"/image", "/source"}),
        ({"source": "img_1", "ops": OPS}, {"/source"}),
        ({"source": {"image": 1}, "ops": OPS}, {"/source"}),
        ({"source": {"image": "img_1", "url": "x"}, "ops": OPS}, {"/source"}),
    ],
)
def test_a_json_body_without_a_source_is_shown_a_right_one(
    house: Api, body: dict[str, Any], pointers: set[str]
) -> None:
    found = problem(house.post("/v1/jobs", json=body), 422, "invalid-parameter")
    assert {fault["pointer"] for fault in found["errors"]} == pointers
    (source,) = [fault for fault in found["errors"] if fault["pointer"] == "/source"]
    assert '{"source": {"image": "img_…"}' in source["detail"]


@pytest.mark.parametrize(
    "outputs", ["", "nonsense", "[]", "{}", '{"a":7}', '{"a":', '"png"', "null", '{"a":null}']
)
def test_outputs_that_are_no_object_of_pipelines_are_refused(house: Api, outputs: str) -> None:
    answer = house.raw(fresh(), outputs=outputs)
    assert answer.status_code in {400, 422}
    problem(answer, answer.status_code, "malformed-request", "invalid-parameter", "invalid-operation")


@pytest.mark.parametrize("name", ["", "../up", "a/b", "a\r\nb", "x" * 300, "\x00", " "])
def test_output_names_are_tame(house: Api, name: str) -> None:
    answer = house.raw(fresh(), outputs=json.dumps({name: OPS}))
    assert answer.status_code in {400, 422}
    problem(answer, answer.status_code, "malformed-request", "invalid-parameter")


def test_times_and_tries_may_be_asked_for(house: Api) -> None:
    posted = house.submit(
        fresh(), timeout=7, retention=60, max_attempts=1, priority="low", reference="é" * 50
    )
    assert posted["timeout_ms"] == 7000
    assert (posted["max_attempts"], posted["priority"], posted["reference"]) == (1, "low", "é" * 50)
    ended = house.ended(posted["id"])
    kept = datetime.fromisoformat(ended["expires_at"]) - datetime.fromisoformat(ended["finished_at"])
    assert abs(kept.total_seconds() - 60) < 2


@pytest.mark.parametrize("field", ["priority", "timeout", "retention", "max_attempts", "reference"])
def test_fields_are_read_in_a_form_as_in_a_query_and_in_json(house: Api, field: str) -> None:
    value = {"priority": "low", "timeout": "9", "retention": "90", "max_attempts": "2", "reference": "abc"}[
        field
    ]
    picture = fresh()
    image = document(house.raw(picture, path="/v1/images"))["id"]
    asked: dict[str, Any] = {field: value}
    typed: object = value if field in {"priority", "reference"} else int(value)
    jobs = [
        document(house.raw(picture, ops=OPS, **asked)),
        document(house.form(picture, ops=OPS, **asked)),
        document(house.post("/v1/jobs", json={"source": {"image": image}, "ops": OPS, field: typed})),
    ]
    key = {"timeout": "timeout_ms"}.get(field, field)
    if field != "retention":
        assert len({job[key] for job in jobs}) == 1
        assert jobs[0][key] == (9000 if field == "timeout" else typed)
    else:
        for job in jobs:
            ended = house.ended(job["id"])
            kept = datetime.fromisoformat(ended["expires_at"]) - datetime.fromisoformat(ended["finished_at"])
            assert abs(kept.total_seconds() - 90) < 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("priority", "urgent"), ("priority", "HIGH!"),
        ("timeout", "soon"), ("timeout", "0"), ("timeout", "-1"), ("timeout", "nan"), ("timeout", "1e400"),
        ("retention", "ever"), ("retention", "-1"), ("retention", "inf"),
        ("max_attempts", "0"), ("max_attempts", "many"), ("max_attempts", "-1"), ("max_attempts", "1.5"),
        ("reference", "x" * 256),
    ],
)  # fmt: skip
def test_a_bad_field_is_refused_with_what_is_allowed(house: Api, field: str, value: str) -> None:
    fields: dict[str, Any] = {field: value}
    for answer in (house.raw(fresh(), ops=OPS, **fields), house.form(fresh(), ops=OPS, **fields)):
        found = problem(answer, 422, "invalid-parameter")
        assert any(fault.get("allowed") for fault in found["errors"]), found
        assert field in json.dumps(found)


def test_priorities_are_listed_when_one_is_wrong(house: Api) -> None:
    found = problem(house.raw(fresh(), ops=OPS, priority="hihg"), 422, "invalid-parameter")
    assert all(name in json.dumps(found["errors"][0]["allowed"]) for name in ("high", "normal", "low"))


def test_a_reference_of_255_characters_fits(house: Api) -> None:
    assert house.submit(fresh(), OPS, reference="r" * 255)["reference"] == "r" * 255


def test_a_raw_upload_has_no_file_name(house: Api) -> None:
    assert house.submit(fresh())["image"]["filename"] is None


def test_an_unknown_field_does_no_harm(house: Api) -> None:
    answer = house.raw(fresh(), ops=OPS, colour="blue")
    assert answer.status_code in {202, 400, 422}, answer.text


def test_waiting_gives_the_ended_job_at_once(house: Api) -> None:
    answer = house.raw(fresh(), ops=OPS, headers={"Prefer": "wait=10"})
    assert answer.status_code == 200
    assert document(answer)["status"] == "succeeded"
    assert answer.headers["preference-applied"] == "wait=10"


def test_waiting_too_short_gives_202(house: Api) -> None:
    answer = house.raw(fresh(), ops="test-sleep:2.5", headers={"Prefer": "wait=1"})
    assert answer.status_code == 202
    found = document(answer)
    assert found["status"] in {"queued", "running"}
    assert answer.headers["location"] == f"/v1/jobs/{found['id']}"
    house.post(f"/v1/jobs/{found['id']}/cancel")


@pytest.mark.parametrize(
    "prefer",
    [
        "wait",
        "wait=",
        "wait=soon",
        "wait=-1",
        "wait=1e9",
        "respond-async",
        "handling=strict",
        ";;,=,",
        "wait=0",
    ],
)
def test_nonsense_preferences_never_break_a_submission(house: Api, prefer: str) -> None:
    answer = house.raw(fresh(), ops=OPS, headers={"Prefer": prefer})
    assert answer.status_code in {200, 202, 422}, answer.text
    if answer.status_code == 422:
        problem(answer, 422, "invalid-parameter")
        return
    house.ended(document(answer)["id"])


def test_waiting_longer_than_allowed_is_cut_and_said(house: Api) -> None:
    answer = house.raw(fresh(), ops=OPS, headers={"Prefer": "respond-async, wait=3600"})
    assert answer.status_code == 200, answer.text
    assert document(answer)["status"] in ENDED
    assert answer.headers["preference-applied"] == "wait=30"
