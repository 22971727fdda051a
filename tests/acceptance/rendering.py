"""Renders as tests see them: asked for over HTTP, and looked at in the data directory."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.servers import Answer, Server

#: How the name of a whole file in the cache ends: the hash of its bytes, their format, the picture's size.
_STAMP = re.compile(r"-(?P<sha256>[0-9a-f]{64})-[a-z0-9]+-[0-9]+x[0-9]+")


def stored(server: Server, picture: bytes) -> str:
    """The id of a picture that is stored for its own sake."""
    return str(server.json("POST", "/v1/images", picture)["id"])


def render(server: Server, image: str, ops: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Whatever is answered."""
    return server.ask("GET", f"/r/{image}/{ops}", headers=headers)


def made(server: Server, image: str, ops: str) -> bytes:
    """The bytes of a render that must succeed."""
    answer = render(server, image, ops)
    assert answer.status == 200, (ops, answer.status, answer.body[:500])
    return answer.body


def way(answer: Answer) -> str:
    """How it was come by: `hit`, `miss` or `shared`."""
    found = re.match(r'cache;desc="([a-z]+)"', answer.headers["server-timing"])
    assert found is not None, answer.headers
    return found[1]


def many(server: Server, image: str, pipelines: Sequence[str], at_once: int = 8) -> list[bytes]:
    """The bytes of many renders that must succeed, in their order."""
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda ops: made(server, image, ops), pipelines))


def counts(server: Server) -> Any:  # noqa: ANN401  # a document
    """What `/v1/stats` tells of the cache."""
    return server.json("GET", "/v1/stats")["cache"]


def tasks(server: Server) -> int:
    """How often workers have been asked for something that somebody waited for."""
    return sum(server.json("GET", "/v1/stats")["totals"]["calls"].values())


def kept(data: Path, room: str = "cache") -> list[Path]:
    """Every file in the cache's folder, or that of masters, whatever it is."""
    # Bears with folders that are tidied away meanwhile.
    return sorted(Path(folder, name) for folder, _, names in os.walk(data / room) for name in names)


def is_sound(file: Path) -> bool:
    """Is it a whole file with the bytes that its name tells?"""
    stamp = _STAMP.search(file.name)
    return (
        stamp is not None
        and stamp.end() == len(file.name)
        and hashlib.sha256(file.read_bytes()).hexdigest() == stamp["sha256"]
    )


def taken(data: Path) -> int:
    """Bytes that the cache's files take of the disk, as `du` counts them."""
    total = 0
    for path in kept(data):
        try:
            total += path.stat().st_blocks * 512
        except FileNotFoundError:  # just removed
            continue
    return total
