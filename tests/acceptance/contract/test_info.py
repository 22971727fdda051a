"""What a running server tells of an image."""

from __future__ import annotations

import io
from base64 import b64decode
from pathlib import Path

import pytest
from PIL import Image

from tests.acceptance.contract.client import Api, Document, document, fresh, opened, problem
from tests.servers import serve

NOBODY = "img_" + "0" * 32
LOOKS = {"dominant_color", "average_color", "palette", "blurhash", "thumbhash", "phash", "data_uri"}


def info(house: Api, picture: bytes) -> tuple[str, Document]:
    stored = document(house.raw(picture, path="/v1/images"))
    url = stored["links"]["info"]
    found = document(house.get(url))
    facts = {"id", "format", "width", "height", "frames", "bytes", "sha256", "has_alpha"}
    assert {name: found[name] for name in facts} == {name: stored[name] for name in facts}
    assert set(found) >= LOOKS | {"icc_profile", "exif", "gps"}
    return url, found


@pytest.mark.parametrize(
    ("format", "mode"),
    [
        ("JPEG", "RGB"),
        ("JPEG", "CMYK"),
        ("PNG", "RGBA"),
        ("PNG", "L"),
        ("WEBP", "RGBA"),
        ("GIF", "P"),
        ("AVIF", "RGB"),
    ],
)
def test_every_kind_of_picture_is_looked_into(house: Api, format: str, mode: str) -> None:
    _, found = info(house, fresh(120, 90, format=format, mode=mode))
    assert sum(tone["share"] for tone in found["palette"]) == pytest.approx(1, abs=0.001)
    with Image.open(io.BytesIO(b64decode(found["data_uri"].partition(",")[2]))) as tiny:
        assert (tiny.format, tiny.size) == ("WEBP", (16, 12))


def test_it_is_found_once_and_told_again(house: Api) -> None:
    url, found = info(house, fresh(200, 150))
    again = house.get(url)
    assert document(again) == found
    assert again.headers["server-timing"] == 'cache;desc="hit"'
    same = house.get(url, headers={"If-None-Match": again.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    head = house.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(again.content))


def test_a_broken_picture_has_its_problem_and_an_unknown_one_too(house: Api) -> None:
    stored = document(house.raw(fresh(400, 300)[:-4000], path="/v1/images"))
    problem(house.get(stored["links"]["info"]), 422, "image-corrupt")
    problem(house.get(f"/v1/images/{NOBODY}/info"), 404, "not-found")
    problem(house.get(f"{stored['links']['info']}?place=1"), 422, "invalid-parameter")
    house.is_fine()


def test_it_is_there_after_kill_9_and_goes_with_its_image(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with serve(folder) as server:
        house = Api(server)
        url, found = info(house, fresh(200, 150))
        server.kill()
        house.http.close()
    with opened(folder) as house:
        again = house.get(url)
        assert document(again) == found
        assert again.headers["server-timing"] == 'cache;desc="hit"'
        house.delete(found["links"]["image"])
        problem(house.get(url), 404, "not-found")
        assert not [path for path in (folder / "cache").rglob("*") if path.is_file()]
