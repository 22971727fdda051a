"""Every limit from both sides, and headers that lie."""

from __future__ import annotations

import json
import socket
import time

import pytest

from tests.acceptance.contract import hostile
from tests.acceptance.contract.client import Api, check_problem, document, fresh, problem, read_answer, split
from tests.photos import photo

PATHS = ("/v1/jobs?ops=flip", "/v1/images", "/v1/process?ops=flip")


def padded(size: int) -> bytes:
    """A valid JPEG of exactly so many bytes."""
    picture = fresh(60, 40)
    return picture + bytes(size - len(picture))


@pytest.mark.parametrize("path", PATHS)
def test_a_body_of_the_limit_fits_and_one_byte_more_does_not(narrow: Api, path: str) -> None:
    assert narrow.post(path, content=padded(100_000)).status_code < 300
    found = problem(narrow.post(path, content=padded(100_001)), 413, "body-too-large")
    assert found["limit"] == 100_000
    narrow.is_fine()


@pytest.mark.parametrize("path", PATHS)
def test_the_limit_is_for_the_image_in_a_form(narrow: Api, path: str) -> None:
    address, _, _ = path.partition("?")
    fields = {} if "images" in path else {"ops": "flip"}
    assert narrow.form(padded(100_000), path=address, **fields).status_code < 300
    problem(narrow.form(padded(100_001), path=address, **fields), 413, "body-too-large")


def head(path: str, *lines: str) -> bytes:
    return ("\r\n".join([f"POST {path} HTTP/1.1", "Host: x", *lines]) + "\r\n\r\n").encode()


@pytest.mark.parametrize("path", PATHS)
def test_a_declared_giant_is_refused_before_it_is_read(narrow: Api, path: str) -> None:
    began = time.monotonic()
    status, headers, body = split(narrow.wire(head(path, "Content-Length: 5000000000")))
    assert time.monotonic() - began < 15
    assert status == 413
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    check_problem(json.loads(body), 413, "body-too-large")


@pytest.mark.parametrize("path", PATHS)
def test_a_chunked_giant_is_cut_off(narrow: Api, path: str) -> None:
    with socket.create_connection(("127.0.0.1", narrow.server.port), timeout=10) as connection:
        connection.sendall(head(path, "Transfer-Encoding: chunked"))
        sent = 0
        chunk = b"10000\r\n" + padded(65536) + b"\r\n"
        try:
            while sent < 20 * 2**20:
                connection.sendall(chunk)
                sent += 65536
        except OSError:
            pass  # it has hung up, as it should
        assert sent < 15 * 2**20
    narrow.is_fine()


def test_a_chunked_body_just_too_large_gets_an_answer(narrow: Api) -> None:
    pieces = [padded(60_000), bytes(60_000)]
    answer = narrow.post("/v1/images", content=iter(pieces))
    problem(answer, 413, "body-too-large")


def test_who_asks_first_need_not_send(narrow: Api) -> None:
    with socket.create_connection(("127.0.0.1", narrow.server.port), timeout=10) as connection:
        connection.sendall(head("/v1/images", "Content-Length: 100001", "Expect: 100-continue"))
        status, _, body = read_answer(connection)
        assert status == 413
        check_problem(json.loads(body), 413, "body-too-large")
    picture = fresh()
    with socket.create_connection(("127.0.0.1", narrow.server.port), timeout=10) as connection:
        connection.sendall(head("/v1/images", f"Content-Length: {len(picture)}", "Expect: 100-continue"))
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(picture)
        assert read_answer(connection)[0] == 201


@pytest.mark.parametrize(
    ("picture", "code", "limit", "actual"),
    [
        (photo(201, 20), "image-dimension-too-large", 200, 201),
        (photo(20, 201), "image-dimension-too-large", 200, 201),
        (photo(101, 100), "image-too-many-pixels", 10_000, 10_100),
        (hostile.frames(6), "image-too-many-frames", 5, None),
    ],
)
@pytest.mark.parametrize("path", PATHS)
def test_what_the_header_shows_is_refused_at_once(
    narrow: Api, path: str, picture: bytes, code: str, limit: int, actual: int | None
) -> None:
    before = narrow.files()
    found = problem(narrow.post(path, content=picture), 422, code)
    assert found["limit"] == limit
    if actual is not None:
        assert found["actual"] == actual
    assert narrow.files() == before
    narrow.is_fine()


@pytest.mark.parametrize("picture", [photo(200, 50), photo(50, 200), photo(100, 100), hostile.frames(5)])
def test_what_just_fits_is_taken(narrow: Api, picture: bytes) -> None:
    assert narrow.process(picture, "flip").status_code == 200
    assert narrow.run(picture, "flip")["status"] == "succeeded"


def test_side_comes_before_pixels_and_pixels_before_frames(narrow: Api) -> None:
    problem(narrow.process(hostile.png_that_claims(201, 100)), 422, "image-dimension-too-large")
    problem(narrow.process(hostile.frames(9, (150, 100))), 422, "image-too-many-pixels")


def test_frames_times_pixels_are_limited_also_for_a_still(narrow: Api) -> None:
    answer = narrow.process(hostile.frames(5, (60, 60)), "jpeg")
    found = problem(answer, 422, "image-too-many-pixels", "image-too-many-frames")
    assert (found["limit"], found["actual"]) == (10_000, 18_000)
    assert narrow.process(hostile.frames(5, (40, 40)), "jpeg").status_code == 200


@pytest.mark.parametrize(
    "ops", ["resize:201x200,enlarge,fit=fill", "pad:300x300/thumbnail:9x9", "border:2000/crop:5x5"]
)
def test_an_output_that_would_be_too_large_is_refused_by_its_name(narrow: Api, ops: str) -> None:
    found = problem(narrow.process(fresh(), ops), 422, "output-too-large")
    assert found["limit"] == 40_000
    assert found["actual"] > 40_000
    assert ops.partition(":")[0] in json.dumps(found)
    answer = narrow.raw(fresh(), outputs=json.dumps({"fine": "flip", "vast": ops}))
    if answer.status_code == 202:
        failed = narrow.ended(document(answer)["id"])
        assert (failed["status"], failed["results"]) == ("failed", [])
        found = failed["error"]
    else:
        found = problem(answer, 422, "output-too-large")
    check_problem(found, 422, "output-too-large")
    assert "vast" in json.dumps(found)
    assert "fine" not in json.dumps(found)


def test_an_output_of_the_limit_is_made(narrow: Api) -> None:
    assert narrow.process(fresh(), "resize:200x200,enlarge,fit=fill").status_code == 200


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("png_that_claims", "image-dimension-too-large"),
        ("gif_that_claims", "image-dimension-too-large"),
        ("jpeg_that_claims", "image-dimension-too-large"),
    ],
)
def test_bombs_are_seen_in_their_headers(house: Api, name: str, code: str) -> None:
    make = getattr(hostile, name)
    pids = {lane["pid"] for lane in house.workers()["lanes"]}
    for width, height in ((65_500, 65_500), (40_000, 1), (1, 40_000)):
        began = time.monotonic()
        problem(house.process(make(width, height)), 422, code)
        problem(house.raw(make(width, height), ops="flip"), 422, code)
        assert time.monotonic() - began < 15
    problem(house.raw(make(9000, 9000), ops="flip"), 422, "image-too-many-pixels")
    assert {lane["pid"] for lane in house.workers()["lanes"]} == pids


def test_a_few_bytes_that_promise_much_end_well(house: Api) -> None:
    for picture in (hostile.webp_that_claims(7000, 7000), hostile.jpeg_that_claims(7000, 7000)):
        answer = house.process(picture, "thumbnail:16x16/jpeg")
        assert answer.status_code in {200, 422}, answer.text
        if answer.status_code == 422:
            problem(answer, 422, "image-corrupt", "image-too-large-for-memory")
    house.is_fine()


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_metadata_that_unpacks_to_much_is_refused(house: Api, kind: bytes) -> None:
    answer = house.process(hostile.metadata_bomb(kind), "flip")
    assert answer.status_code in {200, 422}
    if answer.status_code == 422:
        problem(answer, 422, "image-corrupt")
    house.is_fine()


def test_too_many_scans_and_frames_are_seen(house: Api) -> None:
    problem(house.raw(hostile.many_scans(2000), ops="flip"), 422, "image-too-complex")
    assert house.process(hostile.many_scans(50), "flip").status_code == 200
    problem(house.raw(hostile.frames(101), ops="flip"), 422, "image-too-many-frames")
    assert house.process(hostile.frames(100), "jpeg").status_code == 200
    answer = house.raw(hostile.endless_apng(), ops="flip")
    assert answer.status_code in {202, 422}
    house.is_fine()
