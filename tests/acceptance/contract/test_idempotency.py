"""`Idempotency-Key`: one key, one deed, one answer, whoever asks again and whatever died meanwhile."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.acceptance.contract.client import Api, document, fresh, problem
from tests.acceptance.contract.keyed import (
    OPS,
    Answer,
    a_key,
    half_sent,
    is_replay,
    jobs_called,
    submit,
    until_it_arrives,
)
from tests.servers import wait_until


def test_a_repeat_gets_the_stored_answer(house: Api) -> None:
    image, key = fresh(), a_key()
    first = submit(house, image, key, reference=key)
    assert first.status_code == 202
    assert house.ended(document(first)["id"])["status"] == "succeeded"
    for written in (key, f'"{key}"'):
        assert is_replay(submit(house, image, written, reference=key), first)
    assert jobs_called(house, key) == [document(first)["id"]]


def test_twenty_parallel_posts_with_one_key_make_one_job(house: Api) -> None:
    image, key = fresh(), a_key()
    together = threading.Barrier(20)

    def post(_: int) -> Answer:
        together.wait(10)
        return submit(house, image, key, reference=key)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(post, range(20)))
    (job,) = jobs_called(house, key)
    accepted = [answer for answer in answers if answer.status_code == 202]
    assert {document(answer)["id"] for answer in accepted} == {job}
    (first,) = [answer for answer in accepted if "idempotent-replayed" not in answer.headers]
    for answer in answers:
        if answer not in accepted:
            problem(answer, 409, "idempotency-key-in-use")
            assert int(answer.headers["retry-after"]) >= 1
    # Once it is answered, nobody is in anybody's way.
    with ThreadPoolExecutor(20) as pool:
        repeats = list(pool.map(post, range(20)))
    assert all(is_replay(repeat, first) for repeat in repeats)


def test_parallel_openings_with_one_key_open_one_batch(house: Api) -> None:
    key = a_key()
    together = threading.Barrier(10)

    def post(_: int) -> Answer:
        together.wait(10)
        return house.post("/v1/batches", json={"name": key}, headers={"Idempotency-Key": key})

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(post, range(10)))
    opened = {document(answer)["id"] for answer in answers if answer.status_code == 201}
    found = document(house.get("/v1/batches", params={"limit": 200}))["items"]
    assert [batch["id"] for batch in found if batch["name"] == key] == list(opened)
    for answer in answers:
        if answer.status_code != 201:
            problem(answer, 409, "idempotency-key-in-use")


def test_a_form_with_another_boundary_is_the_same_request(house: Api) -> None:
    image, key = fresh(), a_key()

    def post(boundary: str, **fields: str) -> Answer:
        type_ = f"multipart/form-data; boundary={boundary}"
        headers = {"Idempotency-Key": key, "Content-Type": type_}
        return house.post("/v1/jobs", files={"file": ("a.jpg", image)}, data=fields, headers=headers)

    first = post("one", ops=OPS, reference=key)
    assert first.status_code == 202, first.text
    assert is_replay(post("another", reference=key, ops=OPS), first)
    problem(post("one", ops=OPS, reference="else"), 422, "idempotency-key-reused")
    assert jobs_called(house, key) == [document(first)["id"]]


def test_another_payload_or_another_path_is_refused(house: Api) -> None:
    image, key = fresh(), a_key()
    first = submit(house, image, key)
    before = house.files()
    for other in (
        submit(house, fresh(), key),
        submit(house, image, key, ops="flip"),
        submit(house, image, key, priority="high"),
        submit(house, b"no picture at all", key),
        house.raw(image, path="/v1/images", headers={"Idempotency-Key": key}),
        house.raw(image, path="/v1/process", ops=OPS, headers={"Idempotency-Key": key}),
        house.post("/v1/queue:resume", headers={"Idempotency-Key": key}),
    ):
        problem(other, 422, "idempotency-key-reused")
    assert is_replay(submit(house, image, key), first)
    house.ended(document(first)["id"])
    assert len(house.files() - before) <= 1, "the first job's result"


def test_a_key_is_in_use_while_the_first_body_is_being_sent(house: Api) -> None:
    image, key = fresh(), a_key()
    with half_sent(house, image, key) as rest:
        until_it_arrives(house)
        problem(submit(house, image, key, reference=key), 409, "idempotency-key-in-use")
        # Nothing of a large body is waited for, wherever it goes.
        head = f"POST /v1/images HTTP/1.1\r\nHost: judge\r\nIdempotency-Key: {key}\r\n"
        refused = house.wire(f"{head}Content-Length: 9000000\r\n\r\n".encode())
        assert refused.startswith(b"HTTP/1.1 409 ")
        status, headers, _ = rest()
    assert (status, "idempotent-replayed" in headers) == (202, False)
    repeat = submit(house, image, key, reference=key)
    assert repeat.headers["idempotent-replayed"] == "true"
    assert [document(repeat)["id"]] == jobs_called(house, key)


def test_a_client_that_hangs_up_frees_its_key(house: Api) -> None:
    image, key = fresh(), a_key()
    with half_sent(house, image, key):
        until_it_arrives(house)
    wait_until(lambda: submit(house, image, key, reference=key).status_code == 202, 10)
    assert len(jobs_called(house, key)) == 1


def test_a_client_that_hangs_up_while_it_waits_finds_its_job(house: Api) -> None:
    image, key = fresh(), a_key()
    head = f"POST /v1/jobs?ops=test-sleep:1&reference={key.replace(' ', '+')} HTTP/1.1\r\nHost: judge\r\n"
    head += f"Idempotency-Key: {key}\r\nPrefer: wait=25\r\nContent-Length: {len(image)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", house.server.port), timeout=10) as connection:
        connection.sendall(head.encode() + image)
        wait_until(lambda: len(jobs_called(house, key)) == 1, 10)

    def repeat() -> Answer:
        query = {"ops": "test-sleep:1", "reference": key}
        return house.raw(image, headers={"Idempotency-Key": key, "Prefer": "wait=25"}, **query)

    wait_until(lambda: repeat().status_code != 409, 10)
    answer = repeat()
    assert answer.status_code == 200
    assert answer.headers["idempotent-replayed"] == "true"
    assert document(answer)["status"] == "succeeded"
    assert jobs_called(house, key) == [document(answer)["id"]]


def test_a_refused_request_leaves_its_key_free(house: Api) -> None:
    image, key = fresh(), a_key()
    problem(submit(house, image, key, ops="nonsense"), 422, "invalid-operation")
    problem(submit(house, b"", key), 400, "empty-file")
    problem(submit(house, b"no picture at all", key), 415, "unsupported-media-type")
    assert "idempotent-replayed" not in submit(house, image, key).headers
    assert submit(house, image, key).headers["idempotent-replayed"] == "true"


def test_a_processed_picture_is_the_same_and_costs_nothing(house: Api) -> None:
    image, key = fresh(), a_key()

    def post(image: bytes = image) -> Answer:
        return house.raw(image, path="/v1/process", ops=OPS, headers={"Idempotency-Key": key})

    def calls() -> int:
        found = document(house.get("/v1/stats"))["totals"]["calls"]["succeeded"]
        assert isinstance(found, int)
        return found

    first, before = post(), calls()
    assert first.status_code == 200
    assert is_replay(post(), first)
    assert calls() == before
    problem(post(fresh()), 422, "idempotency-key-reused")


def test_an_answer_outlives_what_it_tells_of(house: Api) -> None:
    image, key = fresh(), a_key()
    job = submit(house, image, key)
    house.delete(job.headers["location"])
    assert is_replay(submit(house, image, key), job)
    problem(house.get(job.headers["location"]), 410, "result-expired")
    key = a_key()
    stored = house.raw(image, path="/v1/images", headers={"Idempotency-Key": key})
    assert stored.status_code in {200, 201}
    house.delete(stored.headers["location"])
    assert is_replay(house.raw(image, path="/v1/images", headers={"Idempotency-Key": key}), stored)
    problem(house.get(stored.headers["location"]), 404, "not-found")


def test_what_changes_a_state_is_not_done_again(house: Api) -> None:
    job = house.submit(fresh(), "test-sleep:20/flip")
    key, path = a_key(), f"/v1/jobs/{job['id']}"
    canceled = house.post(f"{path}/cancel", headers={"Idempotency-Key": key})
    assert document(canceled)["status"] == "canceled"
    assert is_replay(house.post(f"{path}/cancel", headers={"Idempotency-Key": key}), canceled)
    problem(house.post(f"{path}/retry", headers={"Idempotency-Key": key}), 422, "idempotency-key-reused")
    key = a_key()
    retry = house.post(f"{path}/retry", headers={"Idempotency-Key": key})
    again = house.post(f"{path}/retry", headers={"Idempotency-Key": key})
    assert retry.status_code == 202
    assert is_replay(again, retry)
    house.post(f"/v1/jobs/{document(retry)['id']}/cancel")


def test_a_key_is_free_after_its_time(hasty: Api) -> None:
    image, key = fresh(), a_key()
    first = document(submit(hasty, image, key))

    def another() -> bool:
        answer = submit(hasty, image, key, ops="flip")
        return answer.status_code == 202 and document(answer)["id"] != first["id"]

    problem(submit(hasty, image, key, ops="flip"), 422, "idempotency-key-reused")
    wait_until(another, 10)


@pytest.mark.parametrize("quoted", [False, True])
def test_a_key_has_at_most_255_characters(house: Api, quoted: bool) -> None:
    def post(key: str) -> Answer:
        return submit(house, fresh(), f'"{key}"' if quoted else key)

    assert post("k" * 250 + f"{int(a_key().split()[1]):05}").status_code == 202
    for key in ("k" * 256, "", *([" "] if quoted else [])):
        problem(post(key), 400, "malformed-request")
