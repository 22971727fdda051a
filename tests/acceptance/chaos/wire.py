"""HTTP as clients speak it when things go wrong: an answer, or a connection that is lost; and hanging up."""

from __future__ import annotations

import http.client
import json
import socket
import struct
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from tests.servers import Answer

#: Seconds that a client waits for an answer; more than any wait that it asks for.
PATIENCE = 20.0
_BOUNDARY = UUID(int=7).hex
#: Close with a reset, as a process does that is killed.
_RESET = struct.pack("ii", 1, 0)


class Lost(Exception):
    """The connection was lost before there was a whole answer: nobody knows what became of the request."""


def ask(
    port: int, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """One request on a connection of its own; raises Lost."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, found, answer.read())
    except (OSError, http.client.HTTPException) as error:
        raise Lost(f"{method} {path.partition('?')[0]}: {error!r}") from error
    finally:
        connection.close()


def hang_up(
    port: int,
    method: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    sent: float = 1.0,
    wait: float = 0.0,
    read: int = 0,
    reset: bool = False,
) -> None:
    """Send a part of a request (`sent` of the body), wait, read a little of the answer, and be gone."""
    lines = [f"{method} {path} HTTP/1.1", "Host: chaos", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    head = "\r\n".join([*lines, "", ""]).encode()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            connection.sendall(head + body[: int(len(body) * sent)])
            connection.settimeout(max(wait, 0.001))
            if read or wait:
                connection.recv(max(read, 1))
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    except OSError:  # the other side was quicker, or has nothing to say yet
        return


def raw(fields: Mapping[str, object], body: bytes) -> tuple[str, bytes, dict[str, str]]:
    """Query, body and headers of a raw upload."""
    return f"?{urlencode(_texts(fields))}", body, {"Content-Type": "application/octet-stream"}


def form(fields: Mapping[str, object], body: bytes) -> tuple[str, bytes, dict[str, str]]:
    """The same as a multipart form."""
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in _texts(fields).items()
    ]
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="cat.jpg"\r\n\r\n'
    whole = b"".join([*parts, head.encode(), body, f"\r\n--{_BOUNDARY}--\r\n".encode()])
    return "", whole, {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}


def stored(fields: Mapping[str, object], image: str) -> tuple[str, bytes, dict[str, str]]:
    """The same for an image that is there already."""
    document: dict[str, Any] = {"source": {"image": image}, **fields}
    return "", json.dumps(document).encode(), {"Content-Type": "application/json"}


def _texts(fields: Mapping[str, object]) -> dict[str, str]:
    return {
        name: json.dumps(value) if isinstance(value, Mapping) else str(value)
        for name, value in fields.items()
    }
