"""A client that knows the contract and nothing of the service: what a user of design/api.md would write."""

from __future__ import annotations

import hashlib
import itertools
import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.photos import photo
from tests.servers import Server, serve, wait_until

Document = dict[str, Any]

ENDED = {"succeeded", "failed", "canceled"}
NEVER_WAS = "job_0192f0c1a2b37c4d8e5f60718293a4b5"

_seeds = itertools.count(1000)


def fresh(width: int = 64, height: int = 48, **options: Any) -> bytes:  # noqa: ANN401  # see `photo`
    """A photo-like file that no other test has."""
    return photo(width, height, seed=next(_seeds), **options)


class Api:
    """One running server, asked over one connection pool."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.http = httpx2.Client(
            base_url=f"http://127.0.0.1:{server.port}",
            timeout=30,
            trust_env=False,
            headers={"User-Agent": "judge"},
        )
        self.get, self.head, self.post = self.http.get, self.http.head, self.http.post
        self.delete = self.http.delete

    def raw(
        self,
        image: bytes,
        *,
        path: str = "/v1/jobs",
        headers: Mapping[str, str] | None = None,
        **query: Any,  # noqa: ANN401  # what str() makes of it is sent
    ) -> httpx2.Response:
        """POST of a raw body, the fields as query parameters."""
        params = {key: str(value) for key, value in query.items()}
        return self.post(path, content=image, params=params, headers=headers)

    def form(
        self, image: bytes, *, name: str = "cat.jpg", path: str = "/v1/jobs", **fields: str
    ) -> httpx2.Response:
        """POST of a multipart form with one file."""
        return self.post(path, files={"file": (name, image, "image/jpeg")}, data=fields)

    def submit(self, image: bytes, ops: str = "thumbnail:16x16", **query: Any) -> Document:  # noqa: ANN401  # as `raw`
        """The job of a submission that must be accepted; it may not have started yet."""
        answer = self.raw(image, ops=ops, **query)
        assert answer.status_code == 202, answer.text
        return document(answer)

    def run(self, image: bytes, ops: str = "thumbnail:16x16", **query: Any) -> Document:  # noqa: ANN401  # as `raw`
        """The job once it has ended."""
        return self.ended(self.submit(image, ops, **query)["id"])

    def outputs(self, image: bytes, outputs: Mapping[str, object], **query: Any) -> Document:  # noqa: ANN401  # as `raw`
        """A job with several outputs, once it has ended."""
        answer = self.raw(image, outputs=json.dumps(outputs), **query)
        assert answer.status_code == 202, answer.text
        return self.ended(document(answer)["id"])

    def process(self, image: bytes, ops: str | None = None) -> httpx2.Response:
        """The synchronous call."""
        return (
            self.raw(image, path="/v1/process")
            if ops is None
            else self.raw(image, path="/v1/process", ops=ops)
        )

    def job(self, identity: str) -> Document:
        """The document now."""
        answer = self.get(f"/v1/jobs/{identity}")
        assert answer.status_code == 200, answer.text
        return document(answer)

    def ended(self, identity: str, patience: float = 30) -> Document:
        """The document once the job has ended."""
        deadline = time.monotonic() + patience
        while True:
            answer = self.get(f"/v1/jobs/{identity}", headers={"Prefer": "wait=10"})
            assert answer.status_code == 200, answer.text
            found = document(answer)
            if found["status"] in ENDED:
                return found
            assert time.monotonic() < deadline, found

    def until_running(self, identity: str, step: str | None = None) -> Document:
        """The document once the job runs, and has come to a step."""
        found: Document = {}

        def runs() -> bool:
            found.update(self.job(identity))
            assert found["status"] not in ENDED, found
            return found["status"] == "running" and step in {None, found["progress"]["current"]}

        wait_until(runs, 15, lambda: f"it does not run: {found}")
        return found

    def workers(self) -> Document:
        """`/v1/workers`"""
        return document(self.get("/v1/workers"))

    def lane_of(self, job: str) -> Document:
        """The lane that a job runs in."""
        found: list[Document] = []

        def shown() -> bool:
            # The record is there a moment before the lane has heard of it.
            found[:] = [lane for lane in self.workers()["lanes"] if lane["job"] == job]
            return bool(found)

        wait_until(shown, 5, lambda: f"no lane runs {job}: {self.job(job)}")
        return found[0]

    def files(self) -> set[str]:
        """Every file of the data directory, but the database's own and the lock."""
        found = (path for path in self.server.data.rglob("*") if path.is_file())
        return {str(path.relative_to(self.server.data)) for path in found if _is_blob(path)}

    def until_files(self, expected: set[str], patience: float = 10) -> None:
        """Waits until exactly these files are there."""
        wait_until(lambda: self.files() == expected, patience, lambda: str(self.files() ^ expected))

    def wire(self, sent: bytes, *, timeout: float = 10, close: bool = False) -> bytes:
        """Bytes on a connection of their own, and all that comes back until the server closes it."""
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=timeout) as connection:
            connection.sendall(sent)
            if close:
                connection.shutdown(socket.SHUT_WR)
            return read_all(connection)

    def is_fine(self) -> None:
        """The next request works."""
        answer = self.process(fresh(), "thumbnail:8x8/png")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "image/png"


def read_all(connection: socket.socket) -> bytes:
    """Everything until the other side closes."""
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def read_answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """One answer with a Content-Length, read from a connection that stays open."""
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65536)
        assert chunk, received
        received += chunk
    status, headers, body = split(received)
    while len(body) < int(headers.get("content-length", "0")):
        chunk = connection.recv(65536)
        assert chunk, received
        body += chunk
    return status, headers, body


def split(received: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer as it came over the wire."""
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), headers, body


def document(answer: httpx2.Response) -> Document:
    """The JSON object of an answer that is one."""
    assert answer.headers["content-type"].partition(";")[0] == "application/json", answer.headers
    value = answer.json()
    assert isinstance(value, dict)
    return value


def problem(answer: httpx2.Response, status: int, *codes: str) -> Document:
    """The problem document of a refusal, checked as far as every problem is the same."""
    assert answer.status_code == status, (answer.status_code, answer.text[:800])
    assert answer.headers["content-type"].partition(";")[0] == "application/problem+json"
    found: Document = answer.json()
    check_problem(found, status, *codes)
    assert found["request_id"] == answer.headers["x-request-id"]
    if status == 503:
        assert 1 <= int(answer.headers["retry-after"]) <= 300
    return found


def check_problem(found: Document, status: int, *codes: str) -> None:
    """A problem object, also where it stands in a job."""
    assert found["code"] in codes, found
    assert found["type"] == f"/problems/{found['code']}"
    assert found["status"] == status, found
    assert isinstance(found["title"], str)
    assert found["title"]
    assert isinstance(found["detail"], str)
    assert found["detail"]
    for fault in found.get("errors") or []:
        assert fault["detail"]
        assert fault.get("pointer") is None or fault["pointer"] == "" or fault["pointer"].startswith("/"), (
            fault
        )
        assert fault.get("offset") is None or fault["offset"] >= 0
    text = json.dumps(found)
    for secret in ("Traceback", "/tmp/", ".py", "object at 0x"):
        assert secret not in text, found


def sha256(data: bytes) -> str:
    """In hex."""
    return hashlib.sha256(data).hexdigest()


@contextmanager
def opened(data: Path, /, **settings: object) -> Iterator[Api]:
    """A server on `data`; at the end it must leave with 0 on SIGTERM, and without a traceback in its log."""
    data.parent.mkdir(parents=True, exist_ok=True)
    environment = {f"IMGSVC_{name.upper()}": str(value) for name, value in settings.items()}
    with serve(data, environment) as server:
        api = Api(server)
        try:
            yield api
        finally:
            api.http.close()
        assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()


def _is_blob(path: Path) -> bool:
    return path.name != "lock" and ".sqlite3" not in path.name
