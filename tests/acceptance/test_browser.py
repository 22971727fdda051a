"""Pages of another origin in a real browser: renders at the width and in the format that suits it."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import quote

import pytest

from tests.acceptance.browser import Browser, Page, chromium, needs_chromium
from tests.acceptance.proxy import free_ports
from tests.acceptance.rendering import counts, stored
from tests.photos import photo
from tests.servers import Server, serve

pytestmark = [needs_chromium, pytest.mark.timeout(120)]  # a browser's start on a busy machine

#: Of each image of the page: which candidate it took, and how wide that is in its own pixels.
SEEN = """
Promise.all([...document.images].map(async image => {
    if (!image.complete || !image.currentSrc)
        await new Promise(done => { image.onload = image.onerror = done; });
    const own = new Image();
    own.src = image.currentSrc;
    await own.decode().catch(() => null);
    return [image.id, {shown: image.naturalWidth, took: image.currentSrc, width: own.naturalWidth}];
})).then(Object.fromEntries)
"""


class Site:
    """Pages on an origin of their own, which is not the service's."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[str, dict[str, str]]] = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # http.server's name
                html, headers = site.pages.get(self.path, ("", {}))
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(html.encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def page(self, body: str, headers: dict[str, str] | None = None) -> str:
        """The address of a page with this body."""
        path = f"/{len(self.pages)}"
        # The icon that browsers ask for is none of our business.
        html = f'<!doctype html><link rel="icon" href="data:,"><title>page</title>{body}'
        self.pages[path] = (html, headers or {})
        # By name, where the service is called by number: not even the same site.
        return f"http://localhost:{self._server.server_address[1]}{path}"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as running:
        yield running


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    (port,) = free_ports(1)
    settings = {"IMGSVC_PORT": str(port), "IMGSVC_PUBLIC_URL": f"http://127.0.0.1:{port}"}
    with serve(tmp_path_factory.mktemp("browser") / "data", settings) as server:
        yield server


@pytest.fixture(scope="module")
def image(house: Server) -> str:
    return f"http://127.0.0.1:{house.port}/r/{stored(house, photo(1600, 1200, seed=21))}"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


def srcset(image: str, ops: str, *widths: int) -> str:
    return ", ".join(f"{image}/{ops.format(width)} {width}w" for width in widths)


def kind(page: Page, url: str) -> str:
    status, media_type = page.fetched[url]
    assert status == 200
    return media_type


# -- candidates -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scale", "width"), [(1, 200), (2, 400), (3, 800)])
def test_a_srcset_gives_each_screen_its_width(
    browser: Browser, site: Site, image: str, scale: int, width: int
) -> None:
    # Pipelines have commas, and so have lists of candidates.
    cut = "resize:{0}x150,fit=cover,gravity=0.3x0.7/auto"
    page = browser.page(scale=scale)
    page.open(
        site.page(
            f'<img id="plain" sizes="200px" srcset="{srcset(image, "resize:{}x/auto", 200, 400, 800)}">'
            f'<img id="cut" sizes="200px" srcset="{srcset(image, cut, 200, 400, 800)}">'
            f'<img id="dense" srcset="{image}/resize:200x/jpeg, {image}/resize:400x/jpeg 2x, '
            f'{image}/resize:800x/jpeg 3x">'
        )
    )
    seen = page.ask(SEEN)
    assert {name: found["width"] for name, found in seen.items()} == dict.fromkeys(seen, width)
    assert seen["plain"]["shown"] == 200
    assert page.complaints == []


def test_auto_is_avif_to_the_browser(browser: Browser, site: Site, image: str) -> None:
    url = f"{image}/resize:320x/auto"
    page = browser.page()
    page.open(site.page(f'<img id="it" src="{url}">'))
    assert page.ask(SEEN)["it"]["shown"] == 320
    assert kind(page, url) == "image/avif"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is missing: apt-get install curl")
def test_auto_is_jpeg_to_curl(image: str) -> None:
    asked = ["curl", "--silent", "--noproxy", "*", "--output", "/dev/null", "--write-out", "%{content_type}"]
    said = subprocess.run([*asked, f"{image}/resize:320x/auto"], capture_output=True, text=True, check=True)
    assert said.stdout == "image/jpeg"


def test_a_picture_takes_the_first_source_that_the_browser_knows(
    browser: Browser, site: Site, image: str
) -> None:
    def candidates(made: str) -> str:
        return srcset(image, f"resize:{{}}x/{made}", 200, 400)

    def picture(name: str, *sources: str) -> str:
        offered = "".join(
            f'<source type="image/{known}" sizes="200px" srcset="{candidates(made)}">'
            for known, made in (source.split("=") for source in sources)
        )
        return f'<picture>{offered}<img id="{name}" src="{image}/resize:200x/jpeg"></picture>'

    page = browser.page(scale=2)
    page.open(
        site.page(
            picture("best", "avif=avif", "webp=webp")
            + picture("second", "unheard-of=png", "webp=webp:70", "avif=avif:40")
            + picture("last", "unheard-of=png")
        )
    )
    seen = page.ask(SEEN)
    assert {name: (kind(page, found["took"]), found["width"]) for name, found in seen.items()} == {
        "best": ("image/avif", 400),
        "second": ("image/webp", 400),
        "last": ("image/jpeg", 200),
    }


def test_a_job_s_own_snippet_shows_its_pictures(browser: Browser, site: Site, house: Server) -> None:
    outputs = {"hero": {"ops": "resize:1600x/auto", "widths": [320, 640, 5000]}}
    query = f"outputs={quote(json.dumps(outputs))}"
    job = house.ask(
        "POST", f"/v1/jobs?{query}", photo(800, 600, seed=22), headers={"Prefer": "wait=30"}
    ).json()
    assert job["status"] == "succeeded", job
    (told,) = job["pictures"]
    page = browser.page(width=600)
    page.open(site.page(told["html"]))
    (found,) = page.ask(SEEN).values()
    assert (kind(page, found["took"]), found["width"]) == ("image/avif", 640)


@pytest.mark.parametrize(("window", "shown", "took"), [(500, (500, 375), 640), (1600, (1280, 960), 1280)])
def test_a_job_s_own_snippet_fits_a_page_of_any_width(
    browser: Browser, site: Site, house: Server, window: int, shown: tuple[int, int], took: int
) -> None:
    outputs = {"hero": {"ops": "resize:1600x/webp", "widths": [320, 640, 1280]}}
    query = f"outputs={quote(json.dumps(outputs))}"
    job = house.ask(
        "POST", f"/v1/jobs?{query}", photo(1600, 1200, seed=23), headers={"Prefer": "wait=30"}
    ).json()
    assert job["status"] == "succeeded", job
    page = browser.page(width=window)
    page.open(site.page(f"<style>body {{ margin: 0 }}</style>{job['pictures'][0]['html']}"))
    (found,) = page.ask(SEEN).values()
    assert found["width"] == took
    assert page.ask("document.documentElement.scrollWidth") <= window
    box = page.ask("(({width, height}) => [width, height])(document.images[0].getBoundingClientRect())")
    assert tuple(box) == shown


# -- other origins ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Cross-Origin-Embedder-Policy": "require-corp", "Cross-Origin-Opener-Policy": "same-origin"},
        {"Content-Security-Policy": "default-src 'none'; img-src http://127.0.0.1:* data:"},
        {"Referrer-Policy": "no-referrer"},
    ],
)
def test_strict_pages_of_another_site_may_show_renders(
    browser: Browser, site: Site, image: str, headers: dict[str, str]
) -> None:
    page = browser.page()
    page.open(site.page(f'<img id="it" src="{image}/resize:100x/webp">', headers))
    assert page.ask("document.images[0].naturalWidth") == 100
    assert page.complaints == []


def test_a_render_can_be_looked_at_by_itself(browser: Browser, image: str) -> None:
    page = browser.page()
    page.open(f"{image}/resize:100x/webp")
    assert page.ask("document.images[0].naturalWidth") == 100


def test_a_page_that_comes_again_asks_for_nothing_that_it_has(
    browser: Browser, site: Site, image: str, house: Server
) -> None:
    page = browser.page()
    address = site.page(f'<img src="{image}/resize:111x/webp"><img src="{image}/resize:111x/auto">')
    page.open(address)
    before = counts(house)
    page.open(address)
    assert page.ask("[...document.images].map(image => image.naturalWidth)") == [111, 111]
    assert counts(house) == before


# -- pages that wait, and pictures that do not come ---------------------------------------------------


def test_a_lazy_picture_comes_when_it_is_looked_at(browser: Browser, site: Site, image: str) -> None:
    url = f"{image}/resize:222x/auto"
    page = browser.page()
    page.open(
        site.page(
            f'<img src="{image}/resize:50x/webp" loading="eager" fetchpriority="high">'
            '<div style="height: 20000px"></div>'
            f'<img id="far" src="{url}" width="222" height="167" loading="lazy" decoding="async" alt="">'
        )
    )
    assert url not in page.fetched
    shown = page.ask(
        "new Promise(done => { const far = document.getElementById('far');"
        " far.onload = () => done(far.naturalWidth); far.onerror = () => done(0); far.scrollIntoView(); })"
    )
    assert (shown, kind(page, url)) == (222, "image/avif")


def test_a_fallback_stands_in_where_a_picture_would_be_broken(
    browser: Browser, site: Site, image: str
) -> None:
    unknown = f"{image.rpartition('/')[0]}/img_{'0' * 32}/resize:300x200,fit=cover/auto"
    page = browser.page()
    page.open(
        site.page(
            f'<img id="with" src="{unknown}?fallback=ff8800"><img id="without" src="{unknown}">'
            f'<img id="lawless" src="{image}/risize:300x?fallback=1">'
        )
    )
    shown = page.ask("Object.fromEntries([...document.images].map(image => [image.id, image.naturalWidth]))")
    assert shown["with"] == 300
    assert shown["without"] == 0
    assert shown["lawless"] > 0
