"""`Idempotency-Key` over `kill -9`: what was done is known, what was not done is done once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx2
import pytest

from tests.acceptance.contract.client import Api, document, fresh, sha256
from tests.acceptance.contract.keyed import (
    OPS,
    Answer,
    half_sent,
    is_replay,
    jobs_called,
    submit,
    until_it_arrives,
)
from tests.photos import photo
from tests.servers import serve, wait_until


@dataclass
class Killed:
    """A server after another one on the same data was killed, and what that one was asked and answered."""

    api: Api
    image: bytes
    #: One answer of each kind.
    answered: list[Answer]
    #: What clients that post one job after the other were told, until no answer came.
    told: list[list[str | None]]


def ask(api: Api, image: bytes) -> list[Answer]:
    """One of each kind."""
    files = [("file", (f"{number}.jpg", photo(64, 48, seed=number))) for number in range(3)]
    return [
        submit(api, image, "job"),
        api.raw(image, path="/v1/images", headers={"Idempotency-Key": "image"}),
        api.raw(image, path="/v1/process", ops=OPS, headers={"Idempotency-Key": "process"}),
        api.post("/v1/queue:pause", headers={"Idempotency-Key": "pause"}),
        api.post("/v1/batches", json={"name": "open"}, headers={"Idempotency-Key": "batch"}),
        api.post("/v1/batches", files=files, data={"ops": OPS}, headers={"Idempotency-Key": "form"}),
    ]


def wait_for_it(api: Api, image: bytes, seconds: int) -> Answer:
    """A submission that is not answered while the queue is paused."""
    headers = {"Idempotency-Key": "waits", "Prefer": f"wait={seconds}"}
    return api.raw(image, ops=OPS, reference="waits", headers=headers)


def one_more(api: Api, client: int, turn: int) -> str | None:
    """The job that a client is told of, None when no answer comes."""
    name = f"{client}-{turn}"
    try:
        answer = submit(api, photo(64, 48, seed=client), name, reference=name)
    except httpx2.HTTPError:
        return None
    assert answer.status_code == 202, answer.text
    return str(document(answer)["id"])


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    data, image, busy = tmp_path_factory.mktemp("killed") / "data", fresh(), threading.Event()

    def client(number: int) -> list[str | None]:
        told = [one_more(api, number, 0)]
        while told[-1] is not None:
            told.append(one_more(api, number, len(told)))
            if len(told) == 5:
                busy.set()
        return told

    with serve(data) as server, ThreadPoolExecutor(4) as pool:
        api = Api(server)
        with api.http:
            answered = ask(api, image)
            unanswered = pool.submit(wait_for_it, api, image, 25)
            wait_until(lambda: len(jobs_called(api, "waits")) == 1)
            with half_sent(api, image, "half"):
                until_it_arrives(api)
                clients = [pool.submit(client, number) for number in range(3)]
                assert busy.wait(20)
                server.kill()
            told = [posts.result(20) for posts in clients]
            assert isinstance(unanswered.exception(20), httpx2.HTTPError)

    with serve(data) as server:
        api = Api(server)
        with api.http:
            yield Killed(api, image, answered, told)


def test_answers_are_given_again_after_kill_9(killed: Killed) -> None:
    assert [answer.status_code for answer in killed.answered] == [202, 200, 200, 200, 201, 202]
    for first, again in zip(killed.answered, ask(killed.api, killed.image), strict=True):
        assert is_replay(again, first)
    assert len(document(killed.api.get("/v1/batches"))["items"]) == 2
    process = killed.answered[2]
    assert process.headers["etag"] == f'"{sha256(process.content)}"'


def test_a_lost_answer_is_made_anew_from_the_job_once(killed: Killed) -> None:
    (job,) = jobs_called(killed.api, "waits")
    first, second = wait_for_it(killed.api, killed.image, 0), wait_for_it(killed.api, killed.image, 20)
    for answer in (first, second):
        assert (answer.status_code, document(answer)["id"]) == (202, job)
        assert answer.headers["location"] == f"/v1/jobs/{job}"
        assert answer.headers["idempotent-replayed"] == "true"
    assert first.content == second.content
    assert jobs_called(killed.api, "waits") == [job]


def test_a_request_that_was_killed_halfway_left_its_key_free(killed: Killed) -> None:
    assert jobs_called(killed.api, "half") == []
    assert "idempotent-replayed" not in submit(killed.api, killed.image, "half").headers


def test_clients_that_try_again_after_kill_9_have_one_job_for_each_key(killed: Killed) -> None:
    for client, told in enumerate(killed.told):
        assert told[-1] is None
        for turn, job in enumerate(told):
            again = one_more(killed.api, client, turn)
            assert again is not None
            assert job in {None, again}
            assert jobs_called(killed.api, f"{client}-{turn}") == [again]
