"""Forms that are broken, bloated or mean harm by their names."""

from __future__ import annotations

import httpx2
import pytest

from tests.acceptance.contract.client import Api, document, fresh, problem
from tests.photos import photo

PATHS = ("/v1/jobs", "/v1/images", "/v1/process")
BOUNDARY = "judge"

pytestmark = pytest.mark.usefixtures("nothing_is_left")


def form(*parts: tuple[str, bytes], end: bytes | None = None) -> bytes:
    """A multipart body from headers and contents as they are."""
    body = b"".join(
        f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode("utf-8", "surrogateescape") + content + b"\r\n"
        for head, content in parts
    )
    return body + (f"--{BOUNDARY}--\r\n".encode() if end is None else end)


def disposition(name: str, filename: str | None = None) -> str:
    shown = f'Content-Disposition: form-data; name="{name}"'
    return shown if filename is None else f'{shown}; filename="{filename}"'


def send(
    house: Api, body: bytes, path: str = "/v1/jobs", boundary: str = f"; boundary={BOUNDARY}"
) -> httpx2.Response:
    return house.post(path, content=body, headers={"Content-Type": f"multipart/form-data{boundary}"})


OPS = (disposition("ops"), b"thumbnail:9x9")


@pytest.mark.parametrize("path", PATHS)
def test_a_form_without_a_file(house: Api, path: str) -> None:
    problem(send(house, form(*([] if path == "/v1/images" else [OPS])), path), 422, "missing-file")


@pytest.mark.parametrize("path", PATHS)
def test_two_files(house: Api, path: str) -> None:
    file = (disposition("file", "a.jpg"), fresh())
    problem(send(house, form(file, file), path), 422, "too-many-files")


def test_a_file_in_another_field(house: Api) -> None:
    answer = send(house, form((disposition("picture", "a.jpg"), fresh()), OPS))
    assert answer.status_code in {400, 422}
    problem(
        answer,
        answer.status_code,
        "missing-file",
        "invalid-parameter",
        "malformed-request",
        "malformed-multipart",
    )


def test_a_file_without_a_name_is_a_file(house: Api) -> None:
    answer = send(house, form((disposition("file"), fresh()), OPS, (disposition("reference"), b"bad")))
    assert answer.status_code in {202, 422}
    if answer.status_code == 422:
        problem(answer, 422, "missing-file")


def test_blank_fields_are_fields_that_were_not_filled_in(house: Api) -> None:
    blanks = [
        (disposition(name), value)
        for name, value in (
            ("ops", b""),
            ("outputs", b""),
            ("priority", b" "),
            ("timeout", b""),
            ("retention", b""),
            ("max_attempts", b""),
        )
    ]
    blanks.append((disposition("reference"), b"bad"))
    answer = send(house, form(*blanks, OPS, (disposition("file", "a.jpg"), fresh())))
    job = document(answer)
    assert [output["name"] for output in job["outputs"]] == ["default"]
    assert job["outputs"][0]["spec"].startswith("thumbnail:9x9")
    assert (job["priority"], job["reference"]) == ("normal", "bad")
    bare = form((disposition("ops"), b"  "), (disposition("file", "a.jpg"), fresh()))
    problem(send(house, bare), 400, "malformed-request")


def test_an_empty_file_part(house: Api) -> None:
    answer = send(house, form((disposition("file", ""), b""), OPS))
    assert answer.status_code in {400, 422}
    problem(answer, answer.status_code, "empty-file", "missing-file")


@pytest.mark.parametrize(
    ("body", "boundary"),
    [
        (form((disposition("file", "a.jpg"), b"x")), ""),
        (form((disposition("file", "a.jpg"), b"x")), "; boundary="),
        (form((disposition("file", "a.jpg"), b"x")), "; boundary=other"),
        (form((disposition("file", "a.jpg"), photo()), end=b""), f"; boundary={BOUNDARY}"),
        (b"nothing of the kind", f"; boundary={BOUNDARY}"),
        (form(("X: y", b"z")), f"; boundary={BOUNDARY}"),
        (form(("Content-Disposition: form-data", b"z")), f"; boundary={BOUNDARY}"),
        (form(("no colon at all", b"z")), f"; boundary={BOUNDARY}"),
        (form(("A: " + "b" * 100_000, b"z")), f"; boundary={BOUNDARY}"),
        (
            form((disposition("ops"), b"\xff\xfe\xfd"), (disposition("file", "a.jpg"), photo())),
            f"; boundary={BOUNDARY}",
        ),
        (b"", f"; boundary={BOUNDARY}"),
        (form((disposition("file", "a.jpg"), b"x")), "; boundary=" + "b" * 5000),
    ],
)
def test_a_form_that_is_none(house: Api, body: bytes, boundary: str) -> None:
    for path in PATHS:
        answer = send(house, body, path, boundary)
        assert answer.status_code in {400, 422}, answer.text
        codes = (
            "malformed-multipart",
            "malformed-request",
            "missing-file",
            "empty-file",
            "invalid-operation",
        )
        problem(answer, answer.status_code, *codes, "invalid-parameter")


def test_a_thousand_fields(house: Api) -> None:
    fields = [(disposition(f"f{n}"), b"x") for n in range(1000)]
    file = (disposition("file", "a.jpg"), fresh())
    problem(send(house, form(file, *fields)), 400, "malformed-multipart")
    problem(send(house, form(*fields, file)), 400, "malformed-multipart")


def test_a_huge_field(house: Api) -> None:
    answer = send(
        house,
        form((disposition("file", "a.jpg"), fresh()), (disposition("reference"), b"x" * 3_000_000), OPS),
    )
    assert answer.status_code in {400, 413, 422}
    problem(answer, answer.status_code, "malformed-multipart", "body-too-large", "invalid-parameter")


def test_a_field_twice(house: Api) -> None:
    answer = send(
        house, form((disposition("file", "a.jpg"), fresh()), OPS, OPS, (disposition("reference"), b"bad"))
    )
    assert answer.status_code in {202, 400, 422}
    query = house.post("/v1/jobs?ops=flip&ops=flop&reference=bad", content=fresh())
    assert query.status_code in {202, 400, 422}


NAMES = {
    "../../../etc/passwd": "passwd",
    "..\\\\..\\\\boot.ini": "boot.ini",
    "/etc/shadow.png": "shadow.png",
    "a%0d%0aSet-Cookie: x=1.jpg": None,
    "a%00.jpg": None,
    "nul\x00byte.jpg": None,
    "right\u202egnp.jpg": None,
    "x" * 4000 + ".jpg": None,
    "": None,
    ".": None,
    "..": None,
    "  ": None,
    "<script>alert(1)</script>.jpg": None,
    "Füße 猫.jpg": "Füße 猫.jpg",
    "it's; filename*=evil.jpg": None,
    "\udcff\udcfe.jpg": None,
    "-rf.jpg": None,
    "con.jpg": None,
}


@pytest.mark.parametrize("name", NAMES)
def test_names_of_files_are_only_names(house: Api, name: str) -> None:
    answer = send(house, form((disposition("file", name), fresh()), OPS, (disposition("reference"), b"bad")))
    if answer.status_code == 400:
        problem(answer, 400, "malformed-multipart")
        return
    assert answer.status_code == 202, answer.text
    job = house.ended(document(answer)["id"])
    shown = job["image"]["filename"]
    if NAMES[name]:
        assert shown == NAMES[name]
    if shown is not None:
        assert shown
        assert len(shown.encode()) <= 255
        assert not set(shown) & set("/\\\0\r\n\u202e")
        assert shown not in {".", ".."}
    for query in ({}, {"download": "1"}):
        headers = house.get(f"/v1/jobs/{job['id']}/result", params=query).headers
        assert headers.get_list("content-disposition") == [headers["content-disposition"]]
        assert "set-cookie" not in headers
        assert headers["content-disposition"].isascii()
    assert house.get(f"/v1/jobs/{job['id']}/results.zip").status_code == 200


def test_a_field_may_not_break_a_header(house: Api) -> None:
    answer = send(
        house,
        form((disposition("file", "a.jpg"), fresh()), OPS, (disposition("reference"), b"bad\r\nX-Evil: 1")),
    )
    assert answer.status_code in {202, 400, 422}
    assert "x-evil" not in answer.headers
    if answer.status_code == 202:
        house.ended(document(answer)["id"])
        house.delete(answer.headers["location"])
