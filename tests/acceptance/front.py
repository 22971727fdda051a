"""The service behind nginx in every way that there is, its renders signed and its sources oddly named."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from imgsvc.signing import Keyring
from tests.acceptance.proxy import free_ports, nginx, through
from tests.acceptance.rendering import stored
from tests.photos import photo
from tests.servers import Answer, Server, serve

KEYS = "web:0123456789abcdef0123456789abcdef"
RING = Keyring.parse(KEYS)
PAGE = (Path(__file__).parents[2] / "docs" / "deployment.md").read_text()
#: nginx before the service in the three ways that its manual knows.
WAYS = """
server {{
    listen 127.0.0.1:{ports[0]};
    location / {{ proxy_pass http://127.0.0.1:{port}; }}
}}
server {{
    listen 127.0.0.1:{ports[1]};
    location /img/ {{ proxy_pass http://127.0.0.1:{port}/; }}
}}
server {{
    listen 127.0.0.1:{ports[2]};
    location /r/ {{ proxy_pass http://127.0.0.1:{port}/r/; }}
}}
"""
PREFIXES = ("", "/img", "")
#: Files of a folder of sources: what URLs, our grammar, nginx or UTF-8 have another meaning for.
NAMES = [
    b"plain.jpg",
    b"deep/with spaces.jpg",
    "größe €.jpg".encode(),
    b"caf\xe9.jpg",
    b"per%cent%2Fand%20.jpg",
    b"hash#question?ampersand&plus+.jpg",
    b"com,ma:co=lon~2C|bar;.jpg",
    b'quote"less<more>[caret^]{`}.jpg',
]


@dataclass
class Front:
    """The service behind nginx."""

    direct: Server
    #: As nginx passes it on: the whole URI, from below a path, and only the renders.
    ways: list[Server]
    #: By the configuration that the documentation recommends.
    recommended: Server
    image: str

    def ask(self, ops: str, query: Mapping[str, str] | None = None) -> list[Answer]:
        """A render with its signature, from the service itself and through each of the ways.

        `ops` are percent-encoded as a client writes them; all that a way may change is told apart.
        """
        return self.fetch(f"/r/{self.image}/{ops}", query)

    def fetch(self, path: str, query: Mapping[str, str] | None = None) -> list[Answer]:
        """As `ask`, by a whole path."""
        path += f"?{urlencode(query)}" if query else ""
        return [
            self.direct.ask("GET", path),
            *(way.ask("GET", prefix + path) for way, prefix in zip(self.ways, PREFIXES, strict=True)),
            self.recommended.ask("GET", path),
        ]

    def signed(self, text: str, **options: int | None) -> dict[str, str]:
        return RING.sign(f"/r/{self.image}/{text}", exp=options.get("exp"))

    def path(self, text: str, **options: int | None) -> str:
        return f"/r/{self.image}/{quote(text, safe='/:,=')}?{urlencode(self.signed(text, **options))}"


@contextmanager
def fronted(folder: Path) -> Iterator[Front]:
    """A server with nginx before it, its data and its files in a folder."""
    (folder / "sources" / "deep").mkdir(parents=True)
    for name in NAMES:
        Path(os.fsdecode(os.fsencode(folder / "sources") + b"/" + name)).write_bytes(photo(60, 40))
    settings = {
        "IMGSVC_SIGNING_KEYS": KEYS,
        "IMGSVC_RENDER_FAILURES": "0",
        "IMGSVC_SOURCES_DIR": str(folder / "sources"),
    }
    with serve(folder / "data", settings) as server:
        *ports, last = free_ports(4)
        servers = WAYS.format(port=server.port, ports=ports) + _documented(folder, server.port, last)
        with nginx(folder / "nginx", servers, [*ports, last]) as log:
            image = stored(server, photo(320, 240, format="PNG", mode="RGBA", seed=77))
            ways = [through(server, port) for port in ports]
            yield Front(server, ways, through(server, last), image)
            assert not re.findall(r"\[(?:error|crit|alert|emerg)\].*upstream.*", log.read_text())


def _documented(folder: Path, port: int, listen: int) -> str:
    """The configuration of docs/deployment.md, on this machine's ports and in this test's folder."""
    (block,) = re.findall(r"^```nginx\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (results,) = re.findall(r"`(location ~ [^`]*/results/[^`]*)`", PAGE)
    block = block.replace("    location / {", f"    {results}\n\n    location / {{", 1)
    for told, here in (
        ("/var/cache/nginx/imgsvc", str(folder / "cache")),
        ("127.0.0.1:8000", f"127.0.0.1:{port}"),
        ("listen 80;", f"listen 127.0.0.1:{listen};"),
    ):
        assert block.count(told) == 1
        block = block.replace(told, here)
    return str(block)
