"""Requests with an Idempotency-Key, as clients send them, whole and by halves."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import httpx2

from tests.acceptance.contract.client import Api, document, read_answer
from tests.servers import wait_until

OPS = "thumbnail:16x16/png"

_keys = count()

Answer = httpx2.Response


def a_key() -> str:
    """A key that no other test has."""
    return f"judge {next(_keys)}"


def submit(api: Api, image: bytes, key: str, ops: str = OPS, **query: Any) -> Answer:  # noqa: ANN401  # as `Api.raw`
    return api.raw(image, ops=ops, headers={"Idempotency-Key": key}, **query)


def is_replay(answer: Answer, first: Answer) -> bool:
    """The answer's body, status and what the headers say are those of the first one, and it says so."""
    told = ("location", "retry-after", "content-type", "etag", "repr-digest", "content-disposition")
    assert (answer.status_code, answer.content) == (first.status_code, first.content), answer.text[:500]
    assert [answer.headers.get(name) for name in told] == [first.headers.get(name) for name in told]
    assert "idempotent-replayed" not in first.headers
    return answer.headers.get("idempotent-replayed") == "true"


def jobs_called(api: Api, reference: str) -> list[str]:
    """The ids of all jobs with a reference."""
    items = document(api.get("/v1/jobs", params={"reference": reference}))["items"]
    return [item["id"] for item in items]


@contextmanager
def half_sent(api: Api, image: bytes, key: str) -> Iterator[Callable[[], tuple[int, dict[str, str], bytes]]]:
    """A submission of which the first half is on its way; call it to send the rest."""
    head = (
        f"POST /v1/jobs?ops={OPS}&reference={key.replace(' ', '+')} HTTP/1.1\r\nHost: judge\r\n"
        f"Idempotency-Key: {key}\r\nContent-Length: {len(image)}\r\n\r\n"
    )
    half = len(image) // 2
    with socket.create_connection(("127.0.0.1", api.server.port), timeout=10) as connection:
        connection.sendall(head.encode() + image[:half])

        def rest() -> tuple[int, dict[str, str], bytes]:
            connection.sendall(image[half:])
            return read_answer(connection)

        yield rest


def until_it_arrives(api: Api) -> None:
    """The server has seen the headers of the request that is half sent, and waits for its body.

    Not asked with the key itself: the question could come first, and the request would be refused.
    """
    wait_until(lambda: document(api.get("/v1/stats"))["uploads"]["active"] == 1, 10)
