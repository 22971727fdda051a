"""Behind nginx, with a path behind the address and without: the same pictures, links and answers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from urllib.parse import quote, urlencode

import pytest

from imgsvc import formats, operations
from imgsvc.pipeline import Grammar
from tests.acceptance.front import NAMES, RING, Front, fronted
from tests.acceptance.proxy import needs_nginx
from tests.acceptance.rendering import counts
from tests.photos import photo
from tests.servers import Answer, wait_until

pytestmark = needs_nginx

AVIF, JPEG = {"Accept": "image/avif,image/webp,*/*;q=0.8"}, {"Accept": "*/*"}


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with fronted(tmp_path_factory.mktemp("nginx")) as running:
        yield running


# -- pipelines --------------------------------------------------------------------------------------

#: What the examples of operations do not have: fractions, focal points, colours, flags, escapes, faults.
TEXTS = [
    "resize:0.5/png",
    "resize:w=100,h=80|webp:q=70",
    "resize:200x,enlarge/jpeg:85,progressive",
    "resize:300x200,fit=cover,gravity=0.3x0.7/webp",
    "resize:300x200,fit=pad,background=f80/png",
    "crop:0.5x0.5,x=0.1,y=0.2/border:4,ff8800cc/png",
    "pad:400x300,background=transparent,gravity=se/webp",
    "background:rebeccapurple/jpeg",
    "border:10,~66f/png",
    "border:10,~2Cred",
    "border:10,#fff",
    "resize:300x200~2Cfit~3Dcover",
    "resize:300x200%2Cfit=cover",
    "blur:+2",
    "blur: 2 / flip",
    "flip?",
    "flïp:größe",
    "resize:300x200;webp",
    'flip/"flop"',
    "<flip>",
    "a^b`c{d}\\e'f(g)*!$&@[h]",
    "",
]
EXAMPLES = [
    *(operation.example for operation in operations.registry().values()),
    *(ending.example for ending in formats.endings().values()),
]


def spellings(text: str) -> list[str]:
    """The ways in which a client may percent-encode it."""
    return list(
        dict.fromkeys(
            [
                quote(text, safe="/:,=~"),
                quote(text, safe=""),
                quote(text, safe="/:,=~|;'()*!$&@+"),
                "".join(f"%{byte:02x}" for byte in text.encode()),
            ]
        )
    )


@pytest.mark.parametrize("text", [*EXAMPLES, *TEXTS])
def test_every_pipeline_comes_through_as_it_was_written(front: Front, text: str) -> None:
    told = {_told(answer) for written in spellings(text) for answer in front.ask(written, front.signed(text))}
    assert len(told) == 1, told
    status = told.pop()[0]
    assert status == 200 if text in EXAMPLES else status in {200, 422}


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_json_form_comes_through_too(front: Front, text: str) -> None:
    pipeline = Grammar().parse(text)
    written = json.dumps(pipeline.json())
    (told,) = {_told(answer) for answer in front.ask(quote(written), front.signed(pipeline.text))}
    assert told[0] == 200
    assert told == _told(front.ask(quote(text), front.signed(text))[0])


@pytest.mark.parametrize("text", EXAMPLES)
def test_a_signature_is_good_for_its_own_pipeline_only(front: Front, text: str) -> None:
    forged = front.signed(f"{text}/blur" if text != "blur" else "flip")
    assert [answer.status for answer in front.ask(quote(text), forged)] == [403] * 5
    assert [answer.status for answer in front.ask(quote(text))] == [403] * 5


@pytest.mark.parametrize("name", NAMES)
def test_files_of_any_name_come_through_with_their_signatures(front: Front, name: bytes) -> None:
    path = b"/r/@" + name + b"/resize:30x/png"
    written = {quote(path, safe="/:,@"), quote(path, safe="/"), quote(path, safe="/:,@=~|;&+!'()*")}
    told = {_told(answer) for each in written for answer in front.fetch(each, RING.sign(path))}
    assert len(told) == 1, told
    assert told.pop()[0] == 200


@pytest.mark.parametrize("text", [*EXAMPLES, *TEXTS])
def test_every_pipeline_has_the_same_canonical_form_behind_nginx(front: Front, text: str) -> None:
    path = f"/v1/operations:explain?{urlencode({'ops': text})}"
    told = [front.direct.ask("GET", path), front.recommended.ask("GET", path)]
    told += [front.ways[0].ask("GET", path), front.ways[1].ask("GET", f"/img{path}")]
    documents = [answer.json() for answer in told]
    for document in documents:
        document.pop("request_id", None)
    assert all(document == documents[0] for document in documents)
    assert ("spec" in documents[0]) == (told[0].status == 200)


def test_nothing_but_renders_is_reached_through_a_way_to_renders(front: Front) -> None:
    only = front.ways[2]
    for path in (
        "/v1/stats",
        "/r/../v1/stats",
        "/r/%2e%2e/v1/stats",
        "/r/x/..%2f..%2fv1/stats",
        "//v1/stats",
    ):
        assert only.ask("GET", path).status in {400, 403, 404}, path


def _told(answer: Answer) -> tuple[int, str, bytes]:
    """All that a render says of its picture, or of what is wrong, but for who asked and when."""
    if answer.status == 200:
        return answer.status, answer.headers["etag"] + answer.headers["content-type"], answer.body
    problem = answer.json()
    del problem["request_id"]
    return answer.status, answer.headers["content-type"], json.dumps(problem).encode()


# -- answers ----------------------------------------------------------------------------------------


def test_auto_is_kept_for_each_kind_of_client(front: Front) -> None:
    path = front.path("resize:100x/background:white/auto")
    for _ in range(2):
        for headers, kind in ((AVIF, "image/avif"), (JPEG, "image/jpeg"), ({}, "image/jpeg")):
            answer = front.recommended.ask("GET", path, headers=headers)
            assert (answer.status, answer.headers["content-type"]) == (200, kind)
            assert answer.headers["vary"] == "Accept"
    assert answer.headers["x-cache"] == "HIT"
    before = counts(front.direct)
    assert front.recommended.ask("GET", path, headers=AVIF).headers["x-cache"] == "HIT"
    assert counts(front.direct) == before


def test_head_conditions_and_ranges_are_answered_as_without_it(front: Front) -> None:
    path = front.path("resize:200x/png")
    whole = front.direct.ask("GET", path)
    etag, size = whole.headers["etag"], len(whole.body)
    for server in (front.direct, front.ways[0], front.ways[2], front.recommended, front.recommended):
        head = server.ask("HEAD", path)
        assert (head.status, head.body, int(head.headers["content-length"])) == (200, b"", size)
        same = server.ask("GET", path, headers={"If-None-Match": etag})
        assert (same.status, same.body, same.headers["etag"]) == (304, b"", etag)
        other = server.ask("GET", path, headers={"If-None-Match": '"other"'})
        assert (other.status, other.body) == (200, whole.body)
        part = server.ask("GET", path, headers={"Range": "bytes=10-99", "If-Range": etag})
        assert (part.status, part.headers["content-range"]) == (206, f"bytes 10-99/{size}")
        assert part.body == whole.body[10:100]
        beyond = server.ask("GET", path, headers={"Range": f"bytes={size}-"})
        assert beyond.status == 416


def test_a_large_result_arrives_whole(front: Front) -> None:
    answers = front.ask("resize:2400x1800,enlarge/png:0", front.signed("resize:2400x1800,enlarge/png:0"))
    assert len(answers[0].body) > 10_000_000
    assert all(answer.body == answers[0].body for answer in answers)


def test_the_headers_that_matter_are_left_as_they_are(front: Front) -> None:
    named = {"X-Request-ID": "from-the-edge"}
    path = front.path("resize:90x/webp")
    for server in (front.direct, *front.ways[::2], front.recommended):
        answer = server.ask("GET", path, headers=named)
        for name, value in {
            "x-request-id": "from-the-edge",
            "cache-control": "public, max-age=31536000, immutable",
            "cross-origin-resource-policy": "cross-origin",
            "content-security-policy": "default-src 'none'; sandbox",
            "x-content-type-options": "nosniff",
        }.items():
            assert answer.headers[name] == value, name
        missing = server.ask("GET", f"/r/{front.image}/webp", headers=named)
        assert missing.json()["request_id"] == "from-the-edge"


def test_what_must_not_be_kept_is_not(front: Front) -> None:
    unknown = f"/r/img_{'0' * 32}/resize:60x/webp"
    placeholder = f"{unknown}?{urlencode(RING.sign(unknown, options={'fallback': '1'}))}&fallback=1"
    for path, status in ((placeholder, 200), (unknown, 403)):
        for _ in range(2):
            answer = front.recommended.ask("GET", path)
            assert (answer.status, answer.headers.get("x-cache")) in {(status, "MISS"), (status, None)}


def test_a_link_that_has_ended_is_not_answered_from_the_cache(front: Front) -> None:
    for patience in (2, 5, 20):  # as much as this machine needs to be asked once in time
        ends = int(time.time()) + patience
        path = front.path("resize:70x/webp", exp=ends)
        if front.recommended.ask("GET", path).status == 200:
            break
    kept = front.recommended.ask("GET", path)
    assert (kept.status, kept.headers.get("x-cache")) in {(200, "HIT"), (403, "EXPIRED"), (403, None)}
    wait_until(lambda: time.time() > ends)
    assert front.recommended.ask("GET", path).status == 403


def test_results_for_pages_are_let_through_to_be_read_and_no_more(front: Front) -> None:
    outputs = quote(json.dumps({"hero": {"ops": "resize:60x/png", "widths": [30, 60]}}))
    waits = {"Prefer": "wait=30"}
    job = front.direct.ask("POST", f"/v1/jobs?outputs={outputs}", photo(80, 60), headers=waits).json()
    link = job["pictures"][0]["src"]
    read, head = front.recommended.ask("GET", link), front.recommended.ask("HEAD", link)
    assert (read.status, read.headers["content-type"]) == (200, "image/png")
    assert (head.status, head.body) == (200, b"")
    # nginx says it, whoever asks: the service would know the method and answer 405.
    assert [front.recommended.ask(method, link).status for method in ("POST", "DELETE")] == [403, 403]


def test_an_upload_goes_through_and_its_size_is_the_service_s_business(front: Front) -> None:
    picture = photo(600, 400, seed=78)
    assert front.recommended.ask("POST", "/v1/images", picture).status == 201
    made = "/v1/process?ops=resize:90x60,fit=cover/webp:70"
    assert (
        front.ways[1].ask("POST", f"/img{made}", picture).body == front.direct.ask("POST", made, picture).body
    )
    again = front.ways[1].ask("POST", "/img/v1/images", picture)
    assert (again.status, again.json()["width"]) == (200, 600)
