"""Everything that a client may do wrong, on a real server: refused by name, and nothing left of it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import hostile
from tests.photos import photo
from tests.servers import Answer, Server, serve, wait_until

MAX_BODY = 300_000
PHOTO = photo(160, 120)
PROCESS, JOBS, IMAGES = (
    "/v1/process?ops=thumbnail:32x32/webp",
    "/v1/jobs?ops=thumbnail:32x32/webp",
    "/v1/images",
)

Refusal = tuple[int, str]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all of them; in the end its log has no traceback, and it stops as it should."""
    settings = {
        "IMGSVC_MAX_BODY": str(MAX_BODY),
        "IMGSVC_MAX_PIXELS": "20MP",
        "IMGSVC_WORKER_MEMORY": "512MiB",
        "IMGSVC_JOB_TIMEOUT": "10",
        "IMGSVC_HEADER_TIMEOUT": "1",
        "IMGSVC_BODY_TIMEOUT": "1",
    }
    with serve(tmp_path_factory.mktemp("bad") / "data", settings) as server:
        yield server
        assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()


@pytest.fixture(autouse=True)
def nothing_is_left(house: Server) -> Iterator[None]:
    """No file stays, no lane falls, and the next request is fine."""
    files, restarts = kept(house), restarted(house)
    yield
    wait_until(lambda: kept(house) == files, 10, lambda: f"left: {kept(house) ^ files}")
    assert restarted(house) <= restarts + 1, "at most the guilty lane"
    fine = house.ask("POST", PROCESS, PHOTO)
    assert (fine.status, fine.headers["content-type"]) == (200, "image/webp")


def kept(server: Server) -> set[str]:
    """The files of the data directory that hold somebody's bytes."""
    found = (path for path in server.data.rglob("*") if path.is_file())
    return {str(path) for path in found if path.name != "lock" and ".sqlite3" not in path.name}


def restarted(server: Server) -> int:
    return sum(lane["restarts"] for lane in server.json("GET", "/v1/workers")["lanes"])


def refused(answer: Answer) -> Refusal:
    """Status and code of a problem that is well made and gives nothing away."""
    assert answer.headers["content-type"] == "application/problem+json", answer
    problem = answer.json()
    assert problem["status"] == answer.status
    assert problem["type"] == f"/problems/{problem['code']}"
    assert problem["request_id"] == answer.headers["x-request-id"]
    for secret in ("/tmp", "Traceback", ".py", "PIL", "Error("):
        assert secret not in answer.body.decode()
    return answer.status, problem["code"]


def form(*parts: tuple[str, str | None, bytes]) -> tuple[bytes, dict[str, str]]:
    """A multipart body of (name, file name, value), and its headers."""
    body = b""
    for name, filename, value in parts:
        tail = "" if filename is None else f'; filename="{filename}"'
        head = f'Content-Disposition: form-data; name="{name}"{tail}\r\n\r\n'
        body += b"--b0undary\r\n" + head.encode("utf-8", "surrogateescape") + value + b"\r\n"
    return body + b"--b0undary--\r\n", {"Content-Type": "multipart/form-data; boundary=b0undary"}


def wire(server: Server, sent: bytes, *, more: bytes = b"") -> Answer:
    """Bytes on a socket, and the answer up to the end of the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(sent)
        if more:
            connection.sendall(more)
        received = b""
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except ConnectionResetError:
            pass  # what came before counts
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(first.split()[1]), headers, body)


NOT_AN_IMAGE = [pytest.param(data, id=name) for name, data in hostile.NOT_IMAGES.items()]


@pytest.mark.parametrize("path", [PROCESS, JOBS, IMAGES])
def test_no_bytes_are_an_empty_file(house: Server, path: str) -> None:
    assert refused(house.ask("POST", path, b"")) == (400, "empty-file")
    body, headers = form(("file", "a.jpg", b""))
    assert refused(house.ask("POST", path, body, headers)) == (400, "empty-file")


@pytest.mark.parametrize("data", NOT_AN_IMAGE)
def test_what_is_no_image_is_unsupported_whatever_it_is_called(house: Server, data: bytes) -> None:
    for path in (PROCESS, JOBS, IMAGES):
        answer = house.ask("POST", path, data, {"Content-Type": "image/jpeg"})
        assert refused(answer) == (415, "unsupported-media-type")
        assert answer.json()["supported"]
        body, headers = form(("file", "innocent.jpg", data))
        assert refused(house.ask("POST", path, body, headers)) == (415, "unsupported-media-type")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(hostile.png_header(60_000, 60_000), "image-dimension-too-large", id="png 60000²"),
        pytest.param(hostile.png_bomb(5_000, 5_000), "image-too-many-pixels", id="png 5000²"),
        pytest.param(hostile.png_header(2**31 - 1, 2**31 - 1), "image-dimension-too-large", id="png 2³¹"),
        pytest.param(hostile.png_bomb(1, 16_385), "image-dimension-too-large", id="png 1x16385"),
        pytest.param(hostile.gif_header(65_535, 65_535), "image-dimension-too-large", id="gif 65535²"),
        pytest.param(hostile.jpeg_claiming(65_500, 65_500), "image-dimension-too-large", id="jpeg 65500²"),
        pytest.param(hostile.webp_claiming(7_000, 7_000), "image-too-many-pixels", id="webp 7000²"),
        pytest.param(hostile.gif_bomb(101), "image-too-many-frames", id="101 frames"),
        pytest.param(hostile.jpeg_of_scans(101), "image-too-complex", id="101 scans"),
        pytest.param(hostile.png_text_bomb(), "image-corrupt", id="64 MB of text"),
    ],
)
def test_a_bomb_is_refused_by_its_header(house: Server, data: bytes, code: str) -> None:
    before = restarted(house)
    for path in (PROCESS, JOBS, IMAGES):
        assert refused(house.ask("POST", path, data)) == (422, code)
    assert restarted(house) == before


@pytest.mark.parametrize(
    ("data", "codes"),
    [
        pytest.param(PHOTO[:-600], {"image-corrupt"}, id="truncated jpeg"),
        pytest.param(photo(160, 120, format="PNG")[:-4000], {"image-corrupt"}, id="truncated png"),
        pytest.param(photo(160, 120, format="WEBP")[:-600], {"image-corrupt"}, id="truncated webp"),
        pytest.param(hostile.png_header(4_000, 4_000), {"image-corrupt"}, id="a lying header"),
    ],
)
def test_what_only_decoding_shows_fails_there(house: Server, data: bytes, codes: set[str]) -> None:
    status, code = refused(house.ask("POST", PROCESS, data))
    assert (status, code in codes) == (422, True), code
    answer = house.ask("POST", JOBS, data, {"Prefer": "wait=20"})
    if answer.status == 422:
        assert refused(answer)[1] in codes
        return
    job = answer.json()
    assert (job["status"], job["error"]["code"] in codes) == ("failed", True), job
    assert refused(house.ask("GET", job["links"]["result"]))[1] in codes
    assert house.ask("DELETE", job["links"]["self"]).status == 204


def test_a_bomb_just_under_the_limits_is_done_or_refused_for_its_memory(house: Server) -> None:
    answer = house.ask("POST", PROCESS, hostile.webp_claiming(4_400, 4_400))
    assert answer.status == 200 or refused(answer) == (422, "image-too-large-for-memory")


def test_an_output_bomb_is_refused_before_a_pixel_is_read(house: Server) -> None:
    for ops in (
        "resize:60000x60000,fit=fill,enlarge",
        "pad:20000x20000",
        "/".join(["resize:3.0,enlarge"] * 8),
    ):
        answer = house.ask("POST", f"/v1/process?ops={ops}", PHOTO)
        assert answer.status == 422
        assert refused(answer)[1] in {"output-too-large", "invalid-operation"}, ops


def test_a_declared_body_over_the_limit_is_not_read(house: Server) -> None:
    head = f"POST {PROCESS} HTTP/1.1\r\nHost: h\r\nContent-Length: {MAX_BODY + 1}\r\n".encode()
    for answer in (
        wire(house, head + b"Expect: 100-continue\r\n\r\n"),
        wire(house, head + b"\r\n", more=b"x" * 1000),
    ):
        assert refused(answer) == (413, "body-too-large")
        assert answer.headers["connection"] == "close"
        assert (answer.json()["limit"], answer.json()["actual"]) == (MAX_BODY, MAX_BODY + 1)


def test_a_chunked_body_is_cut_off_at_the_limit(house: Server) -> None:
    head = f"POST {PROCESS} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    chunks = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    assert refused(wire(house, head, more=chunks * 8)) == (413, "body-too-large")
    body, headers = form(("file", "a.jpg", b"x" * (MAX_BODY + 1)))
    assert refused(house.ask("POST", JOBS, body, headers)) == (413, "body-too-large")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("ops=rezise:300x200", "invalid-operation"),
        ("ops=resize:300x200,fit=squash", "invalid-operation"),
        ("ops=resize:300x200,fit=cover,fit=pad", "invalid-operation"),
        ("ops=blur:1e6", "invalid-operation"),
        ("ops=resize:0x0", "invalid-operation"),
        ("ops=%00", "invalid-operation"),
        ("ops=" + "flip/" * 30 + "png", "invalid-operation"),
        ("ops=[[[[[[[", "invalid-operation"),
        ("ops=png&priority=urgent", "invalid-parameter"),
        ("ops=png&timeout=forever", "invalid-parameter"),
        ("ops=png&max_attempts=0", "invalid-parameter"),
    ],
)
def test_a_bad_argument_is_refused_before_the_body_is_read(house: Server, query: str, code: str) -> None:
    head = (
        f"POST /v1/jobs?{query} HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\nExpect: 100-continue\r\n\r\n"
    )
    answer = wire(house, head.encode())
    assert refused(answer) == (422, code)
    assert answer.json()["errors"]


@pytest.mark.parametrize(
    ("parts", "refusal"),
    [
        ([("ops", None, b"png")], (422, "missing-file")),
        ([("picture", "a.jpg", PHOTO)], (422, "missing-file")),
        (
            [("file", "a.jpg", PHOTO), ("file", "b.jpg", PHOTO), ("ops", None, b"png")],
            (422, "too-many-files"),
        ),
        ([(f"f{number}", None, b"x") for number in range(1000)], (400, "malformed-multipart")),
        ([("file", "a.jpg", PHOTO)], (400, "malformed-request")),
        ([("file", "a.jpg", PHOTO), ("ops", None, b"rezise")], (422, "invalid-operation")),
        ([("file", "a.jpg", PHOTO), ("ops", None, b"x" * 65537)], (400, "malformed-multipart")),
        (
            [("file", "a.jpg", PHOTO), ("ops", None, b"png"), ("outputs", None, b"{}")],
            (400, "malformed-request"),
        ),
    ],
)
def test_a_bad_form_is_refused(
    house: Server, parts: list[tuple[str, str | None, bytes]], refusal: Refusal
) -> None:
    body, headers = form(*parts)
    assert refused(house.ask("POST", "/v1/jobs", body, headers)) == refusal


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"--b0undary\r\nnonsense", "multipart/form-data; boundary=b0undary"),
        (form(("file", "a.jpg", PHOTO))[0][:-20], "multipart/form-data; boundary=b0undary"),
        (form(("file", "a.jpg", PHOTO))[0], "multipart/form-data; boundary=other"),
        (form(("file", "a.jpg", PHOTO))[0], "multipart/form-data"),
        (b"", "multipart/form-data; boundary=b0undary"),
    ],
)
def test_broken_multipart_is_malformed(house: Server, body: bytes, content_type: str) -> None:
    answer = house.ask("POST", JOBS, body, {"Content-Type": content_type})
    assert refused(answer) == (400, "malformed-multipart")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("a%0D%0ASet-Cookie: x=1", "a%0D%0ASet-Cookie: x=1"),
        ("nul\0.jpg", "nul.jpg"),
        ("\u202egpj.exe", "gpj.exe"),
        ("caf\u0065\u0301.jpg", "café.jpg"),
        ("x" * 4096 + ".jpg", "x" * 251 + ".jpg"),
        ("..", None),
    ],
)
def test_a_bad_name_is_cleaned_and_never_a_path(house: Server, name: str, shown: str | None) -> None:
    body, headers = form(("file", name, PHOTO), ("ops", None, b"grayscale/png"))
    answer = house.ask("POST", "/v1/jobs", body, headers | {"Prefer": "wait=20"})
    if "\0" in name and answer.status == 400:
        assert refused(answer) == (400, "malformed-multipart")
        return
    job = answer.json()
    assert job["image"]["filename"] == shown
    result = house.ask("GET", job["links"]["result"])
    assert result.headers["content-disposition"].isascii()
    assert "set-cookie" not in result.headers
    house.ask("DELETE", job["links"]["self"])


def test_a_client_that_goes_away_in_mid_upload_leaves_nothing(house: Server) -> None:
    for path, head in (
        (JOBS, f"Content-Length: {len(PHOTO)}\r\n\r\n".encode()),
        (PROCESS, b"Transfer-Encoding: chunked\r\n\r\n1000\r\n"),
        (
            IMAGES,
            b"Content-Type: multipart/form-data; boundary=b0undary\r\nContent-Length: 200000\r\n\r\n"
            + form(("file", "a.jpg", PHOTO))[0][:2000],
        ),
    ):
        with socket.create_connection(("127.0.0.1", house.port), timeout=10) as connection:
            connection.sendall(f"POST {path} HTTP/1.1\r\nHost: h\r\n".encode() + head + PHOTO[:3000])
    assert house.json("GET", "/v1/jobs?limit=1")["items"] == []


def test_a_client_that_stalls_is_told_and_cut_off(house: Server) -> None:
    assert refused(wire(house, b"")) == (408, "request-timeout")
    assert refused(wire(house, b"POST /v1/jobs HTTP/1.1\r\nHost: h\r\nX-A: ")) == (408, "request-timeout")
    head = f"POST {PROCESS} HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n".encode()
    assert refused(wire(house, head + PHOTO[:500])) == (408, "request-timeout")


@pytest.mark.parametrize(
    ("sent", "refusal"),
    [
        (
            b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            (400, "malformed-request"),
        ),
        (b"NONSENSE\r\n\r\n", (400, "malformed-request")),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", (431, "headers-too-large")),
        (b"GET / HTTP/1.1\r\n" + b"X: 1\r\n" * 1000 + b"\r\n", (431, "headers-too-large")),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", (431, "headers-too-large")),
        (b"BREW /v1/jobs HTTP/1.1\r\nHost: h\r\n\r\n", (400, "malformed-request")),
    ],
)
def test_bad_http_is_refused_as_a_problem_too(house: Server, sent: bytes, refusal: Refusal) -> None:
    answer = wire(house, sent)
    assert refused(answer) == refusal
    assert answer.headers["connection"] == "close"


def test_nonsense_in_range_is_ignored_and_a_range_outside_refused(house: Server) -> None:
    image = house.json("POST", IMAGES, PHOTO)
    content = image["links"]["content"]
    for nonsense in ("bytes=a-b", "bytes=9-2", "bytes=" + "0-0," * 2000 + "1-1", "bytes=--1"):
        answer = house.ask("GET", content, headers={"Range": nonsense})
        assert (answer.status, answer.body) == (200, PHOTO), nonsense
    outside = house.ask("GET", content, headers={"Range": "bytes=9999999-"})
    assert refused(outside) == (416, "range-not-satisfiable")
    assert outside.headers["content-range"] == f"bytes */{len(PHOTO)}"
    assert house.ask("DELETE", image["links"]["self"]).status == 204


@pytest.mark.parametrize("key", ["", '""', "   ", "x" * 256, '"unclosed', "a\tb"])
def test_nonsense_in_idempotency_key_is_malformed(house: Server, key: str) -> None:
    for path in (PROCESS, JOBS, IMAGES):
        answer = house.ask("POST", path, PHOTO, {"Idempotency-Key": key})
        assert refused(answer) == (400, "malformed-request")


def test_unknown_ids_and_paths_are_not_found(house: Server) -> None:
    unknown = "job_" + "0" * 32
    for path in (
        f"/v1/jobs/{unknown}",
        f"/v1/jobs/{unknown}/result",
        "/v1/jobs/..%2f..%2fetc%2fpasswd",
        "/v1/jobs/%00",
        "/v1/images/%ff",
        "/docs/..%2f..%2fapp.py",
        "/v1/nothing",
        "/v1/jobs/",
    ):
        assert refused(house.ask("GET", path)) == (404, "not-found")
    assert refused(house.ask("PATCH", "/v1/jobs")) == (405, "method-not-allowed")


def test_json_that_is_none_is_malformed(house: Server) -> None:
    headers = {"Content-Type": "application/json"}
    for body in (b"", b"{", b"[]", b"\xff", b"[" * 5000):
        assert refused(house.ask("POST", "/v1/jobs", body, headers)) == (400, "malformed-request")
    unknown = json.dumps({"source": {"image": "img_" + "0" * 32}, "ops": "png"}).encode()
    assert refused(house.ask("POST", "/v1/jobs", unknown, headers)) == (404, "not-found")


def test_a_name_is_never_a_file(house: Server) -> None:
    assert not Path("/etc/passwd.png").exists()
    assert all(Path(path).is_relative_to(house.data) for path in kept(house))
