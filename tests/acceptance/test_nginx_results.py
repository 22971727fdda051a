"""Signed results behind nginx: the block of docs/signing.md lets them through, and nothing else of `/v1/`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from imgsvc.signing import Keyring
from tests.acceptance.proxy import free_ports, needs_nginx, nginx, through
from tests.photos import photo
from tests.servers import Server, serve

pytestmark = needs_nginx

KEYS = "web:0123456789abcdef0123456789abcdef"
RING = Keyring.parse(KEYS)
PAGE = (Path(__file__).parents[2] / "docs" / "signing.md").read_text()
WHATS = ["result", "results/default", "results.zip"]
#: What the documented block stands in, with everything else shut.
AROUND = """
upstream imgsvc {{ server 127.0.0.1:{port}; }}
server {{
    listen 127.0.0.1:{listen};
    location / {{ deny all; }}
    {block}
}}
"""


@dataclass
class Fence:
    """The service, and what everybody can reach of it."""

    direct: Server
    outside: Server
    job: str

    def path(self, what: str) -> str:
        return f"/v1/jobs/{self.job}/{what}"

    def signed(self, what: str) -> str:
        return f"{self.path(what)}?{urlencode(RING.sign(self.path(what)))}"


@pytest.fixture(scope="module")
def fence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fence]:
    folder = tmp_path_factory.mktemp("results")
    (block,) = re.findall(r"^```nginx\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (listen,) = free_ports(1)
    with serve(folder / "data", {"IMGSVC_SIGNING_KEYS": KEYS, "IMGSVC_SIGNED_RESULTS": "1"}) as server:
        servers = AROUND.format(port=server.port, listen=listen, block=block)
        with nginx(folder / "nginx", servers, [listen]):
            made = server.ask(
                "POST", "/v1/jobs?ops=grayscale/png", photo(60, 40), headers={"Prefer": "wait=30"}
            ).json()
            assert made["status"] == "succeeded"
            yield Fence(server, through(server, listen), made["id"])


@pytest.mark.parametrize("what", WHATS)
def test_a_signed_result_is_let_through(fence: Fence, what: str) -> None:
    answer = fence.outside.ask("GET", fence.signed(what))
    assert (answer.status, answer.body) == (200, fence.direct.ask("GET", fence.signed(what)).body)
    head = fence.outside.ask("HEAD", fence.signed(what))
    assert (head.status, head.body) == (200, b"")


@pytest.mark.parametrize("what", WHATS)
def test_a_result_without_a_signature_is_not(fence: Fence, what: str) -> None:
    path = fence.path(what)
    other = urlencode(RING.sign(f"/r/img_{'0' * 32}/webp"))
    for query in (
        "",
        "?sig=",
        "?SIG=x",
        f"?{urlencode(RING.sign(path)).replace('sig=', 'SIG=')}",
        f"?{other}",
    ):
        answer = fence.outside.ask("GET", path + query)
        assert (answer.status, answer.json()["code"]) == (403, "signature-invalid"), query


def test_nothing_else_of_the_api_is_reached(fence: Fence) -> None:
    sig = urlencode(RING.sign(fence.path("result")))
    for path in (
        f"/v1/jobs/{fence.job}",
        "/v1/jobs",
        "/v1/stats",
        f"{fence.path('result')}/../../../stats",
        f"{fence.path('result')}/%2e%2e/%2e%2e/%2e%2e/stats",
        f"{fence.path('results')}/",
        f"{fence.path('results')}/a/b",
        f"/v1/batches/{fence.job.replace('job', 'batch')}/results.zip",
    ):
        assert fence.outside.ask("GET", f"{path}?{sig}").status == 403, path


def test_a_path_that_only_nginx_takes_for_a_result_leads_nowhere(fence: Fence) -> None:
    for path in (f"/v1/stats/..{fence.path('result')[3:]}", f"/v1//jobs/{fence.job}/result"):
        answer = fence.outside.ask("GET", f"{path}?{urlencode(RING.sign(fence.path('result')))}")
        assert answer.status in {403, 404}, path


@pytest.mark.parametrize("method", ["DELETE", "POST", "PUT", "PATCH", "OPTIONS"])
def test_a_result_can_be_read_and_nothing_else(fence: Fence, method: str) -> None:
    for what in WHATS:
        answer = fence.outside.ask(method, fence.signed(what))
        assert answer.status == 403
        assert b"nginx" in answer.body
    assert fence.outside.ask("DELETE", f"/v1/images/img_{'0' * 32}?sig=x").status == 403
