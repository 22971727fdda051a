"""Formats by client, and results of the size that was asked for."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from tests.acceptance.contract.client import Api, problem
from tests.photos import photo

BROWSER = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


@pytest.mark.parametrize(
    ("accept", "opaque", "alpha"),
    [
        (BROWSER, "image/avif", "image/avif"),
        ("image/webp,*/*;q=0.8", "image/webp", "image/webp"),
        ("*/*", "image/jpeg", "image/png"),
        ("image/avif;q=0.5, image/*;q=0.8, */*;q=0.1", "image/jpeg", "image/png"),
        ("image/avif;q=0,image/webp;q=0,*/*", "image/jpeg", "image/png"),
        ("utter nonsense;;", "image/jpeg", "image/png"),
    ],
)
def test_auto_is_what_the_client_accepts(house: Api, accept: str, opaque: str, alpha: str) -> None:
    for mode, wanted in (("RGB", opaque), ("RGBA", alpha)):
        answer = house.post(
            "/v1/process?ops=resize:40x/auto",
            content=photo(80, 60, format="PNG", mode=mode),
            headers={"Accept": accept},
        )
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == wanted
        assert opened(answer.content).format == wanted.partition("/")[2].upper()
        assert "accept" in answer.headers["vary"].lower()


def test_auto_is_refused_where_there_is_no_client(house: Api) -> None:
    answer = house.post("/v1/jobs?ops=resize:40x/auto", content=photo())
    problem(answer, 422, "invalid-operation")
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["offset"]) == ("/1", 11)
    assert "webp" in fault["allowed"]


@pytest.mark.parametrize("format", ["jpeg", "webp", "avif"])
def test_max_bytes_gets_the_most_that_fits(house: Api, format: str) -> None:
    source = photo(320, 240, format="PNG")
    usual = len(house.process(source, format).content)
    answer = house.process(source, f"{format}:max_bytes={usual * 2 // 3}")
    assert usual / 3 < len(answer.content) <= usual * 2 // 3
    assert 'encode;desc="quality ' in answer.headers["server-timing"]
    problem(house.process(source, f"{format}:max_bytes=20"), 422, "output-too-large")


@pytest.mark.parametrize("format", ["jpeg", "webp", "avif"])
def test_an_automatic_quality_gives_an_easy_picture_fewer_bytes(house: Api, format: str) -> None:
    easy = BytesIO()
    Image.linear_gradient("L").resize((320, 240)).convert("RGB").save(easy, "PNG")
    hard = photo(320, 240, format="PNG")
    small, large = (house.process(source, f"{format}:auto") for source in (easy.getvalue(), hard))
    assert len(small.content) * 2 < len(large.content)


def test_a_result_is_never_larger_than_a_source_that_would_do(house: Api) -> None:
    source = photo(quality=1)
    assert house.process(source).content == source
    assert house.process(source, "thumbnail:800x800/jpeg:95").content == source
    told = photo(quality=1, comment=b"SECRET")
    assert b"SECRET" not in house.process(told, "jpeg:95").content
    assert opened(house.process(source, "webp:100").content).format == "WEBP"
