"""With keys, `/r/` answers links that one of them has signed, and nothing else."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from imgsvc.api import ApiOptions
from imgsvc.signing import Keyring, link
from tests.unit.api.served import api, picture, problem, running

pytestmark = pytest.mark.anyio

RING = Keyring.parse("web:0123456789abcdef0123456789abcdef,old:fedcba9876543210fedcba9876543210")
NOBODY = "img_" + "0" * 32


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(api(tmp_path, ApiOptions(signing=RING))) as client:
        yield client


@pytest.fixture
async def image(door: httpx2.AsyncClient) -> str:
    found = (await door.post("/v1/images", content=picture())).json()["id"]
    assert isinstance(found, str)
    return found


def soon(seconds: int = 600) -> int:
    return int(time.time()) + seconds


def max_age(answer: httpx2.Response) -> int:
    found = re.fullmatch(r"public, max-age=(\d+)", answer.headers["cache-control"])
    assert found, answer.headers["cache-control"]
    return int(found[1])


async def test_a_link_that_is_not_signed_is_refused_before_anything_is_looked_up(
    door: httpx2.AsyncClient, image: str
) -> None:
    told = set()
    for path in (f"/r/{image}/webp", f"/r/{NOBODY}/webp", f"/r/{image}/nonsense", "/r/x/y"):
        for query in ("", "?kid=web", "?fallback=1", "?fallback=nonsense", f"?sig={'A' * 43}&kid=web"):
            answer = await door.get(path + query)
            assert problem(answer) == (403, "signature-invalid")
            assert answer.headers["cache-control"] == "no-store"
            told.add((query, answer.json()["detail"]))
    assert len(told) == 5, "the same question is answered alike whatever is there"


async def test_a_signed_link_is_answered_to_get_and_head(door: httpx2.AsyncClient, image: str) -> None:
    url = link(f"/r/{image}/resize:20x/png", RING.sign(f"/r/{image}/resize:20x/png"))
    found = await door.get(url)
    assert (found.status_code, found.headers["content-type"]) == (200, "image/png")
    assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (await door.head(url)).headers["etag"] == found.headers["etag"]


async def test_what_was_signed_in_one_spelling_is_let_in_in_every_other(
    door: httpx2.AsyncClient, image: str
) -> None:
    signed = RING.sign(f"/r/{image}/resize:20x/webp:82")
    for written in (
        "resize:20x/webp:82",
        "resize:w=20|webp:q=82",
        "resize%3A20x%2Fwebp:82",
        "resize:20x,filter=lanczos/webp:82",
    ):
        assert (await door.get(f"/r/{image}/{written}?{link('', signed)[1:]}")).status_code == 200
    assert problem(await door.get(link(f"/r/{image}/resize:21x/webp:82", signed))) == (
        403,
        "signature-invalid",
    )


async def test_what_is_written_may_be_signed_whatever_it_is(door: httpx2.AsyncClient, image: str) -> None:
    """Whoever makes links need not know the canonical form, and is told his own mistakes."""
    for written, status in (("resize:w=20|webp", 200), ("resise:20x", 422)):
        path = f"/r/{image}/{written}"
        assert (await door.get(link(path, RING.sign(path)))).status_code == status
    path = f"/r/{NOBODY}/webp"
    assert problem(await door.get(link(path, RING.sign(path)))) == (404, "not-found")


async def test_a_key_that_only_verifies_is_as_good(door: httpx2.AsyncClient, image: str) -> None:
    path = f"/r/{image}/webp"
    assert (await door.get(link(path, RING.sign(path, kid="old")))).status_code == 200


async def test_a_fallback_is_signed_too(door: httpx2.AsyncClient, image: str) -> None:
    path = f"/r/{image}/webp"
    assert problem(await door.get(link(path, {"fallback": "red", **RING.sign(path)}))) == (
        403,
        "signature-invalid",
    )
    for there, code in ((path, None), (f"/r/{NOBODY}/webp", "not-found")):
        signed = {"fallback": "red", **RING.sign(there, options={"fallback": "red"})}
        answer = await door.get(link(there, signed))
        assert (answer.status_code, answer.headers.get("imgsvc-problem")) == (200, code)


async def test_an_expired_link_says_so_also_where_there_is_a_fallback(
    door: httpx2.AsyncClient, image: str
) -> None:
    path = f"/r/{image}/webp"
    for options in ({}, {"fallback": "red"}):
        signed = RING.sign(path, exp=soon(0), options=options)
        answer = await door.get(link(path, {**options, **signed}))
        assert problem(answer) == (403, "signature-expired")
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("ops", ["webp", "auto"])
async def test_an_answer_is_kept_no_longer_than_its_link_is_valid(
    door: httpx2.AsyncClient, image: str, ops: str
) -> None:
    path = f"/r/{image}/{ops}"
    url = link(path, RING.sign(path, exp=soon(600)))
    first = await door.get(url)
    again = await door.get(url, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert 500 < max_age(first) <= 600
    assert 500 < max_age(again) <= 600
    late = link(path, RING.sign(path, exp=soon(10**9)))
    assert max_age(await door.get(late)) == (31_536_000 if ops == "webp" else 3600)


async def test_other_parameters_are_nobodys_business(door: httpx2.AsyncClient, image: str) -> None:
    path = f"/r/{image}/webp"
    assert (await door.get(link(path, {"v": "7", **RING.sign(path)}))).status_code == 200


async def test_a_parameter_that_is_there_twice_is_refused(door: httpx2.AsyncClient, image: str) -> None:
    path = f"/r/{image}/webp"
    for name, value in RING.sign(path, exp=soon()).items():
        answer = await door.get(f"{link(path, RING.sign(path, exp=soon()))}&{name}={value}")
        assert problem(answer) == (400, "malformed-request")


async def test_without_keys_a_signature_is_not_asked_for(tmp_path: Path) -> None:
    async with running(api(tmp_path)) as door:
        image = (await door.post("/v1/images", content=picture())).json()["id"]
        for query in ("", "?sig=x&kid=y&exp=1"):
            answer = await door.get(f"/r/{image}/webp{query}")
            assert answer.status_code == 200
            assert answer.headers["cache-control"].endswith("immutable")
