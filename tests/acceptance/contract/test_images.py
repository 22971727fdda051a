"""Images that are stored for their own sake."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from tests.acceptance.contract import hostile
from tests.acceptance.contract.client import Api, Document, document, fresh, problem, sha256
from tests.photos import photo

FACTS = {"id", "format", "width", "height", "frames", "bytes", "sha256", "has_alpha"}


def store(house: Api, picture: bytes, name: str | None = None) -> Document:
    answer = (
        house.raw(picture, path="/v1/images")
        if name is None
        else house.form(picture, name=name, path="/v1/images")
    )
    assert answer.status_code in {200, 201}, answer.text
    return document(answer)


def test_storing_gives_the_facts_and_where_they_are(house: Api) -> None:
    picture = fresh(50, 40)
    answer = house.raw(picture, path="/v1/images")
    assert answer.status_code == 201
    image = document(answer)
    assert set(image) >= FACTS
    assert image["id"] == "img_" + sha256(picture)[:32]
    assert answer.headers["location"] == f"/v1/images/{image['id']}"
    assert (image["format"], image["width"], image["height"], image["frames"]) == ("jpeg", 50, 40, 1)
    assert (image["bytes"], image["sha256"], image["has_alpha"]) == (len(picture), sha256(picture), False)
    assert document(house.get(answer.headers["location"])) == image


def test_the_same_bytes_are_the_same_image(house: Api) -> None:
    picture = fresh()
    first = house.raw(picture, path="/v1/images")
    second = house.form(picture, name="other name.png", path="/v1/images")
    assert (first.status_code, second.status_code) == (201, 200)
    assert document(first)["id"] == document(second)["id"]
    assert second.headers["location"] == first.headers["location"]


@pytest.mark.parametrize(
    ("format", "mode", "alpha"),
    [
        *(("PNG", "RGBA", True), ("PNG", "RGB", False), ("WEBP", "RGBA", True), ("AVIF", "RGB", False)),
        *(("GIF", "P", False), ("PNG", "LA", True), ("PNG", "1", False), ("PNG", "I;16", False)),
        ("JPEG", "CMYK", False),
    ],
)
def test_facts_are_true_of_every_kind(house: Api, format: str, mode: str, alpha: bool) -> None:
    image = store(house, fresh(30, 20, format=format, mode=mode))
    assert (image["format"], image["has_alpha"]) == (format.lower(), alpha)
    assert (image["width"], image["height"], image["frames"]) == (30, 20, 1)


def test_sizes_are_as_displayed(house: Api) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = fresh(60, 30, exif=exif.tobytes())
    image = store(house, picture)
    assert (image["width"], image["height"]) == (30, 60)
    job = house.run(picture, "png")
    assert (job["image"]["width"], job["image"]["height"]) == (30, 60)


def test_frames_are_counted(house: Api) -> None:
    assert store(house, hostile.frames(7))["frames"] == 7
    assert store(house, hostile.frames(5, format="WEBP"))["frames"] == 5


def test_an_mpo_counts_as_one_picture(house: Api) -> None:
    file = BytesIO()
    first, second = Image.new("RGB", (20, 20), "red"), Image.new("RGB", (20, 20), "blue")
    first.save(file, "MPO", save_all=True, append_images=[second])
    image = store(house, file.getvalue())
    assert (image["format"], image["frames"]) == ("jpeg", 1)
    answer = house.process(file.getvalue(), "png")
    assert Image.open(BytesIO(answer.content)).convert("RGB").getpixel((5, 5))[0] > 240  # type: ignore[index]  # three channels


def test_the_original_is_an_attachment(house: Api) -> None:
    picture = fresh(100, 80)
    identity = store(house, picture, "Urlaub.jpg")["id"]
    url = f"/v1/images/{identity}/content"
    answer = house.get(url)
    assert (answer.status_code, answer.content) == (200, picture)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    etag = answer.headers["etag"]
    assert house.get(url, headers={"If-None-Match": etag}).status_code == 304
    part = house.get(url, headers={"Range": "bytes=2-11"})
    assert (part.status_code, part.content) == (206, picture[2:12])
    problem(house.get(url, headers={"Range": f"bytes={len(picture)}-"}), 416, "range-not-satisfiable")
    head = house.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len(picture)


def test_deleting_is_remembered(house: Api) -> None:
    picture = fresh()
    before = house.files()
    identity = store(house, picture)["id"]
    for _ in range(2):
        answer = house.delete(f"/v1/images/{identity}")
        assert (answer.status_code, answer.content) == (204, b"")
    for tail in ("", "/content"):
        answer = house.get(f"/v1/images/{identity}{tail}")
        assert answer.status_code in {404, 410}
        problem(answer, answer.status_code, "not-found", "result-expired")
    house.until_files(before)
    assert house.raw(picture, path="/v1/images").status_code == 201
    assert house.get(f"/v1/images/{identity}/content").content == picture


@pytest.mark.parametrize(
    "identity", ["img_" + "0" * 32, "img_", "img_zz", "job_x", "..%2f..%2fetc%2fpasswd", "%00"]
)
def test_an_image_that_never_was_is_not_found(house: Api, identity: str) -> None:
    for tail in ("", "/content"):
        problem(house.get(f"/v1/images/{identity}{tail}"), 404, "not-found")
    problem(house.delete(f"/v1/images/{identity}"), 404, "not-found")


def test_an_image_in_use_stays(house: Api) -> None:
    picture = fresh()
    identity = store(house, picture)["id"]
    posted = house.submit(picture, "test-sleep:1.0")
    problem(house.delete(f"/v1/images/{identity}"), 409, "image-in-use")
    assert house.ended(posted["id"])["status"] == "succeeded"
    assert house.delete(f"/v1/images/{identity}").status_code == 204
    # The result is not the image: it stays.
    assert house.get(f"/v1/jobs/{posted['id']}/result").status_code == 200
    answer = house.post(f"/v1/jobs/{posted['id']}/retry")
    assert answer.status_code in {404, 410}
    problem(answer, answer.status_code, "not-found", "result-expired")


def test_equal_uploads_at_once_are_one_image(house: Api) -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  # only here

    picture = fresh()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: house.raw(picture, path="/v1/images"), range(8)))
    assert {document(answer)["id"] for answer in answers} == {"img_" + sha256(picture)[:32]}
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]


def test_a_bad_file_is_not_stored(house: Api) -> None:
    before = house.files()
    problem(house.raw(b"", path="/v1/images"), 400, "empty-file")
    problem(house.raw(hostile.SVG, path="/v1/images"), 415, "unsupported-media-type")
    problem(
        house.raw(hostile.png_that_claims(50_000, 9), path="/v1/images"), 422, "image-dimension-too-large"
    )
    assert house.files() == before


def test_a_picture_that_decodes_badly_is_an_image_but_no_job(house: Api) -> None:
    truncated = photo(300, 200, seed=4711)[:5000]
    answer = house.raw(truncated, path="/v1/images")
    assert answer.status_code == 201
