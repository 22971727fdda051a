"""A link to a result that says it is signed is held to that; without a signature results stay open."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from imgsvc.api import ApiOptions
from imgsvc.signing import Keyring, link
from tests.unit.api.served import api, picture, problem, running

pytestmark = pytest.mark.anyio

RING = Keyring.parse("web:0123456789abcdef0123456789abcdef")


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(api(tmp_path, ApiOptions(signing=RING))) as client:
        yield client


@pytest.fixture
async def url(door: httpx2.AsyncClient) -> str:
    answer = await door.post("/v1/jobs?ops=grayscale/png", content=picture(), headers={"Prefer": "wait=10"})
    return f"/v1/jobs/{answer.json()['id']}"


@pytest.mark.parametrize("what", ["result", "results/default", "results.zip"])
async def test_a_signed_link_is_let_in(door: httpx2.AsyncClient, url: str, what: str) -> None:
    path = f"{url}/{what}"
    for signed in (RING.sign(path), RING.sign(path, exp=int(time.time()) + 60)):
        for method in ("GET", "HEAD"):
            assert (await door.request(method, link(path, signed))).status_code == 200


@pytest.mark.parametrize("what", ["result", "results/default", "results.zip"])
async def test_a_signature_of_something_else_is_refused(
    door: httpx2.AsyncClient, url: str, what: str
) -> None:
    for other in ("result", "results/default", "results.zip"):
        answer = await door.get(link(f"{url}/{what}", RING.sign(f"{url}/{other}")))
        if other == what:
            assert answer.status_code == 200
        else:
            assert problem(answer) == (403, "signature-invalid")
            assert answer.headers["cache-control"] == "no-store"


async def test_a_link_that_has_expired_says_so(door: httpx2.AsyncClient, url: str) -> None:
    path = f"{url}/result"
    answer = await door.get(link(path, RING.sign(path, exp=int(time.time()))))
    assert problem(answer) == (403, "signature-expired")
    assert answer.headers["cache-control"] == "no-store"


async def test_an_answer_is_not_kept_longer_than_its_link(door: httpx2.AsyncClient, url: str) -> None:
    path = f"{url}/result"
    for seconds, low, high in ((600, 500, 600), (10**9, 600, 7 * 86400)):
        signed = link(path, RING.sign(path, exp=int(time.time()) + seconds))
        first = await door.get(signed)
        again = await door.get(signed, headers={"If-None-Match": first.headers["etag"]})
        assert again.status_code == 304
        for answer in (first, again):
            age = int(answer.headers["cache-control"].removeprefix("private, max-age="))
            assert low < age <= high


async def test_what_does_not_change_the_bytes_is_not_signed(door: httpx2.AsyncClient, url: str) -> None:
    path = f"{url}/result"
    answer = await door.get(link(path, {"download": "1", "wait": "1", **RING.sign(path)}))
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith("attachment")


async def test_a_parameter_that_is_there_twice_is_refused(door: httpx2.AsyncClient, url: str) -> None:
    path = f"{url}/result"
    for name, value in RING.sign(path, exp=int(time.time()) + 60).items():
        answer = await door.get(f"{link(path, RING.sign(path))}&{name}={value}&{name}={value}")
        assert problem(answer) == (400, "malformed-request")


async def test_without_a_signature_results_are_open(door: httpx2.AsyncClient, url: str) -> None:
    assert (await door.get(f"{url}/result")).status_code == 200
    assert (await door.get(f"{url}/result?kid=web&exp=1")).status_code == 200


@pytest.mark.parametrize("what", ["result", "results/default", "results.zip"])
async def test_results_are_closed_where_the_service_asks_for_signatures(tmp_path: Path, what: str) -> None:
    async with running(api(tmp_path, ApiOptions(signing=RING, signed_results=True))) as door:
        made = await door.post("/v1/jobs?ops=png", content=picture(), headers={"Prefer": "wait=10"})
        for job, signed_status in ((made.json()["id"], 200), (f"job_{'0' * 32}", 404)):
            path = f"/v1/jobs/{job}/{what}"
            signed = RING.sign(path)
            upper = {name.upper(): value for name, value in signed.items()}
            for url in (path, link(path, upper), f"{path}?sig=", f"{path}?kid=web"):
                answer = await door.get(url)
                assert problem(answer) == (403, "signature-invalid"), url
                assert answer.headers["cache-control"] == "no-store"
                assert (await door.head(url)).status_code == 403, url
            for method in ("GET", "HEAD"):
                assert (await door.request(method, link(path, signed))).status_code == signed_status
        assert (await door.get(f"/v1/jobs/{made.json()['id']}")).status_code == 200


async def test_a_signature_that_nobody_can_check_is_not_asked_for(tmp_path: Path) -> None:
    async with running(api(tmp_path)) as door:
        made = await door.post("/v1/jobs?ops=png", content=picture(), headers={"Prefer": "wait=10"})
        assert (await door.get(f"/v1/jobs/{made.json()['id']}/result?sig=x&kid=y")).status_code == 200
