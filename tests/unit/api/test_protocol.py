from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import orjson
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState

from imgsvc.api.envelope import Counted, Envelope, uncounted
from imgsvc.api.gate import Gate
from imgsvc.api.protocol import door_protocol

pytestmark = pytest.mark.anyio

HEAD = b"POST /x HTTP/1.1\r\nHost: t\r\n"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Says how many bytes came."""
    count = 0
    if scope["path"] != "/early":
        while True:
            message = await receive()
            count += len(message.get("body", b""))
            if not message.get("more_body"):
                break
    body = str(count).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers without having looked at the body."""
    headers = [(b"content-length", b"0"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def guarded(max_body: int = 1000, body_timeout: float = 5.0) -> ASGIApp:
    return Envelope(Gate(echo, max_body=max_body, body_timeout=body_timeout))


@asynccontextmanager
async def serving(
    app: ASGIApp,
    header_timeout: float = 5.0,
    counted: Counted = uncounted,
    unread: Callable[[int], None] = lambda _: None,
    buffer: int | None = None,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """One connection to an app behind the protocol."""
    config = Config(app, lifespan="off", ws="none", access_log=False, log_config=None)
    config.load()
    state, kind = ServerState(), door_protocol(header_timeout, counted, unread)
    loop = asyncio.get_running_loop()
    listening = socket.socket()
    if buffer is not None:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    listening.bind(("127.0.0.1", 0))
    server = await loop.create_server(lambda: kind(config, state, {}), sock=listening)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    try:
        yield reader, writer
    finally:
        writer.close()
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()  # one that lingers would take a second
        await asyncio.gather(*state.tasks, return_exceptions=True)


async def answered(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """One answer: its status, headers and body."""
    async with asyncio.timeout(5):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    return int(first.split()[1]), headers, body


async def refused(reader: asyncio.StreamReader) -> tuple[int, str]:
    """The status and code of a problem that ends the connection."""
    status, headers, body = await answered(reader)
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    problem = orjson.loads(body)
    assert problem["status"] == status
    assert problem["type"] == f"/problems/{problem['code']}"
    assert problem["request_id"] == headers["x-request-id"]
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    return status, problem["code"]


async def test_a_request_is_answered_and_the_connection_kept() -> None:
    async with serving(guarded()) as (reader, writer):
        for _ in range(3):
            writer.write(HEAD + b"Content-Length: 3\r\n\r\nabc")
            status, headers, body = await answered(reader)
            assert (status, body) == (200, b"3")
            assert "connection" not in headers


async def test_what_is_not_http_is_a_malformed_request() -> None:
    async with serving(guarded()) as (reader, writer):
        writer.write(b"\x16\x03\x01 hello\r\n\r\n")
        assert await refused(reader) == (400, "malformed-request")


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
        b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"Content-Length: nonsense\r\n\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"Na me: x\r\n\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: identity\r\n\r\n",
    ],
)
async def test_ambiguous_framing_is_a_malformed_request(fields: bytes) -> None:
    async with serving(guarded()) as (reader, writer):
        writer.write(HEAD + fields)
        assert await refused(reader) == (400, "malformed-request")


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /x HTTP/1.1\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        b"GET /x HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /x HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"GET http://h/x HTTP/1.1\r\n\r\n",
    ],
)
async def test_a_request_without_one_host_is_malformed(sent: bytes) -> None:
    async with serving(guarded()) as (reader, writer):
        writer.write(sent)
        assert await refused(reader) == (400, "malformed-request")


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /x HTTP/1.0\r\n\r\n",
        b"GET /x HTTP/1.0\r\nHost: a\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost:\r\n\r\n",
        HEAD + b"Transfer-Encoding:  Chunked \r\n\r\n0\r\n\r\n",
    ],
)
async def test_an_old_or_a_nameless_request_is_answered(sent: bytes) -> None:
    async with serving(guarded()) as (reader, writer):
        writer.write(sent)
        status, _, body = await answered(reader)
        assert (status, body) == (200, b"0")


async def test_a_huge_header_is_refused_before_it_ends() -> None:
    async with serving(guarded()) as (reader, writer):
        writer.write(HEAD + b"X-Long: " + b"a" * 100_000)
        assert await refused(reader) == (431, "headers-too-large")


async def test_a_thousand_headers_are_refused() -> None:
    async with serving(guarded()) as (reader, writer):
        writer.write(HEAD + b"".join(b"X-%d: 1\r\n" % number for number in range(1000)) + b"\r\n")
        assert await refused(reader) == (431, "headers-too-large")


async def test_a_huge_request_line_is_refused() -> None:
    async with serving(guarded()) as (reader, writer):
        writer.write(b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n")
        assert await refused(reader) == (431, "headers-too-large")


@pytest.mark.parametrize("sent", [b"", b"POST /x", HEAD], ids=["nothing", "half a line", "half a header"])
async def test_a_header_that_does_not_come_is_a_timeout(sent: bytes) -> None:
    async with serving(guarded(), header_timeout=0.2) as (reader, writer):
        writer.write(sent)
        assert await refused(reader) == (408, "request-timeout")


async def test_a_header_that_drips_is_a_timeout() -> None:
    async with serving(guarded(), header_timeout=0.2) as (reader, writer):

        async def drip() -> None:
            for byte in HEAD * 10:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        assert await refused(reader) == (408, "request-timeout")
        dripping.cancel()


async def test_an_idle_connection_is_not_told_of_timeouts() -> None:
    async with serving(guarded(), header_timeout=0.1) as (reader, writer):
        writer.write(HEAD + b"Content-Length: 0\r\n\r\n")
        assert (await answered(reader))[0] == 200
        await asyncio.sleep(0.3)
        writer.write(HEAD + b"Content-Length: 1\r\n\r\na")
        assert (await answered(reader))[2] == b"1"


async def test_a_body_that_stalls_is_a_timeout() -> None:
    async with serving(guarded(body_timeout=0.2)) as (reader, writer):
        writer.write(HEAD + b"Content-Length: 100\r\n\r\nabc")
        assert await refused(reader) == (408, "request-timeout")


async def test_a_body_that_drips_is_a_timeout() -> None:
    async with serving(guarded(body_timeout=0.3)) as (reader, writer):
        writer.write(HEAD + b"Content-Length: 100\r\n\r\n")

        async def drip() -> None:
            for _ in range(100):
                writer.write(b"a")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        assert await refused(reader) == (408, "request-timeout")
        dripping.cancel()


async def test_a_declared_body_over_the_limit_is_refused_without_reading_it() -> None:
    async with serving(guarded()) as (reader, writer):
        writer.write(HEAD + b"Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n")
        assert await refused(reader) == (413, "body-too-large")


async def test_a_chunked_body_over_the_limit_is_refused_where_the_limit_is() -> None:
    async with serving(guarded()) as (reader, writer):
        writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1f4\r\n" + b"a" * 500 + b"\r\n")
        writer.write(b"1f5\r\n" + b"a" * 501 + b"\r\n")
        assert await refused(reader) == (413, "body-too-large")


def push(address: tuple[str, int]) -> tuple[int, bytes]:
    """A client that only sends until it can't, and only then reads: how much went out, and the answer."""
    with socket.create_connection(address, timeout=10) as client:
        client.sendall(HEAD + b"Content-Length: 100000000\r\n\r\n")
        sent = 0
        try:
            while sent < 100_000_000:
                sent += client.send(b"a" * 65536)
        except BrokenPipeError:
            pass
        return sent, client.recv(65536)


async def test_a_client_that_only_sends_sees_the_refusal_and_is_cut_off() -> None:
    async with serving(guarded()) as (_, writer):
        sent, answer = await asyncio.to_thread(push, writer.get_extra_info("peername")[:2])
        # What was taken is the little that is thrown away and what socket buffers hold.
        assert sent < 20_000_000
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"body-too-large" in answer


@pytest.mark.parametrize("before", [0, 1, 30_000, 100_000])
async def test_of_a_refused_body_at_most_256_kib_are_read(before: int) -> None:
    """Whether its beginning comes with the header or after it, and however long the answer takes."""
    read: list[int] = []
    begun, poured = threading.Event(), threading.Event()

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        poured.wait(5)  # nothing turns until the kernel holds more than one read of it
        await asyncio.sleep(0.05)
        await refuse(scope, receive, send)

    def pour(address: tuple[str, int]) -> bytes:
        with socket.create_connection(address, timeout=10) as client:
            client.sendall(HEAD + b"Content-Length: 100000000\r\n\r\n" + bytes(before))
            begun.wait(5)
            client.settimeout(0)
            with contextlib.suppress(BlockingIOError):
                while True:
                    client.send(bytes(65536))
            poured.set()
            client.settimeout(10)
            return client.recv(65536)

    async with serving(late, unread=read.append, buffer=4_000_000) as (_, writer):
        answer = await asyncio.to_thread(pour, writer.get_extra_info("peername")[:2])
        assert answer.startswith(b"HTTP/1.1 503 ")
        async with asyncio.timeout(5):
            while not read:  # noqa: ASYNC110  # the connection lingers a second
                await asyncio.sleep(0.01)
    assert len(read) == 1
    assert 0 < read[0] <= 256 * 1024


async def test_what_is_refused_before_there_is_a_request_is_counted_too() -> None:
    codes: list[str] = []
    async with serving(guarded(), counted=codes.append) as (reader, writer):
        writer.write(b"nonsense\r\n\r\n")
        assert await refused(reader) == (400, "malformed-request")
    assert codes == ["malformed-request"]


async def test_an_answer_before_the_end_of_the_body_ends_the_connection() -> None:
    async with serving(guarded()) as (reader, writer):
        writer.write(b"POST /early HTTP/1.1\r\nHost: t\r\nContent-Length: 900\r\n\r\nabc")
        status, headers, _ = await answered(reader)
        assert (status, headers["connection"]) == (200, "close")
        async with asyncio.timeout(5):
            assert await reader.read() == b""


async def test_a_waiting_client_is_told_to_continue() -> None:
    async with serving(guarded()) as (reader, writer):
        writer.write(HEAD + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        async with asyncio.timeout(5):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"abc")
        assert (await answered(reader))[2] == b"3"


async def test_an_upgrade_is_answered_as_a_plain_request() -> None:
    async with serving(guarded()) as (reader, writer):
        fields = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
        writer.write(HEAD + fields + b"Content-Length: 3\r\n\r\nabc")
        status, _, body = await answered(reader)
        assert (status, body) == (200, b"3")


async def test_a_client_that_has_said_all_gets_its_answer_and_the_end() -> None:
    async with serving(guarded()) as (reader, writer):
        writer.write(HEAD + b"Content-Length: 3\r\n\r\nabc")
        writer.write_eof()
        async with asyncio.timeout(5):
            assert (await reader.read()).endswith(b"\r\n\r\n3")


async def test_a_client_that_leaves_takes_its_request_with_it() -> None:
    gone = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    async with serving(slow) as (_, writer):
        writer.write(HEAD + b"Content-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()
        async with asyncio.timeout(5):
            await gone.wait()


async def test_this_is_no_proxy() -> None:
    async with serving(guarded()) as (reader, writer):
        writer.write(b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n")
        assert await refused(reader) == (405, "method-not-allowed")


async def test_nothing_of_this_is_worth_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(guarded()) as (reader, writer):
        writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")
        assert await refused(reader) == (400, "malformed-request")
    assert [record for record in caplog.records if record.exc_info or record.levelno >= logging.WARNING] == []
