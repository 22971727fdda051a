"""uvicorn's HTTP protocol with clocks, bounds and problems of our own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from imgsvc.api import problems
from imgsvc.api.envelope import Counted, request_id_of, uncounted
from imgsvc.api.gate import MAX_HEADER_BYTES, check_headers
from imgsvc.errors import HeadersTooLarge, ImgsvcError, MalformedRequest, MethodNotAllowed, RequestTimeout

#: Seconds that a request's header may take, when nobody says.
HEADER_TIMEOUT = 10.0
#: Seconds until the connection is cut after an answer that came before the end of its request: closing at
#: once would reset the connection and could take the answer with it.
_LINGER = 1.0

#: Seconds for an answer to a client that has closed its side: nearly always it is gone, and its work with it.
_FAREWELL = 0.5
#: What belongs to the offer of another protocol.
_OFFER = frozenset({b"connection", b"upgrade", b"http2-settings"})


def door_protocol(
    header_timeout: float = HEADER_TIMEOUT,
    counted: Counted = uncounted,
    unread: Callable[[int], None] = lambda _: None,
) -> type[DoorProtocol]:
    """The class for `uvicorn.Config(http=…)`.

    `counted` is told the code of whatever it refuses, `unread` of each request that was answered before its
    end how many bytes of its body were read all the same.
    """
    members = {
        "header_timeout": header_timeout,
        "counted": staticmethod(counted),
        "unread": staticmethod(unread),
    }
    return type("DoorProtocol", (DoorProtocol,), members)


class DoorProtocol(HttpToolsProtocol):
    """Refuses headers that are too slow (408), too large (431) or broken (400), as problems.

    It builds on `on_url`, `on_header`, `on_headers_complete`, `data_received` and `send_400_response` of
    uvicorn 0.54; a test drives each of them over a socket.
    """

    header_timeout = HEADER_TIMEOUT
    counted = staticmethod(uncounted)
    unread: Callable[[int], None] = staticmethod(lambda _: None)

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._clock: asyncio.TimerHandle | None = None
        self._farewell: asyncio.TimerHandle | None = None
        self._header_bytes = self._pending = 0
        self._refusal: ImgsvcError | None = None
        self._refused = False
        #: Has a header ended in what is being read?
        self._asking = False
        #: Bytes of the request's body that have been read.
        self.body_bytes = 0

    # -- the connection -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """A client is here: its first bytes have `header_timeout`."""
        self._lingering = _Lingering(transport, self)
        super().connection_made(self._lingering)
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone, or we have closed."""
        self._stop_clock()
        self._lingering.gone()
        if self._farewell is not None:
            self._farewell.cancel()
        super().connection_lost(exc)

    def eof_received(self) -> bool | None:  # type: ignore[override]  # asyncio's own type
        """The client sends no more: it has gone, or only waits for its answer (`nc -N`) and gets a moment."""
        cycle = self._current
        if cycle is None or cycle.response_complete or cycle.more_body or self._lingering.lingers:
            return None
        self._farewell = self.loop.call_later(_FAREWELL, self.transport.close)
        return True

    def on_response_complete(self) -> None:
        """An answer has been written."""
        self.cycle.body = bytearray()  # nobody will read it: a connection that lingers holds nothing
        super().on_response_complete()
        if self._farewell is not None:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Bytes of the client's."""
        if self._lingering.lingers:
            self._lingering.discard(len(data))
            return
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as stopped:
            self._stay_with_http(data[stopped.args[0] :])
        except httptools.HttpParserError:
            self._refuse(self._refusal or MalformedRequest("This is not an HTTP/1.1 request."))
        else:
            self._check_pending(len(data))
            if self._asking:
                self._wait_to_be_asked()

    def _wait_to_be_asked(self) -> None:
        """Read no more of a body before somebody wants it, which resumes reading: it may be refused."""
        self._asking = False
        if self.cycle.more_body:
            self.flow.pause_reading()

    @property
    def _current(self) -> RequestResponseCycle | None:
        """The request at hand or the last one; uvicorn's annotation forgets that there may be none."""
        return self.cycle

    @property
    def expects_more(self) -> bool:
        """Is the client in the midst of a request?"""
        cycle = self._current
        return self._refused or (cycle is not None and cycle.more_body)

    # -- the request's header -------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._header_bytes = self.body_bytes = 0
        self._start_clock()

    def on_url(self, url: bytes) -> None:
        """A part of the request line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header field."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The header is there: from now on the gate has the clock."""
        self._stop_clock()
        if not self.parser.should_upgrade():
            self._check_framing()
            super().on_headers_complete()
            self._asking = True

    def _check_framing(self) -> None:
        """What the parser lets pass: see RFC 9112 §3.2 on Host, §6.1 on codings other than `chunked`."""
        names = [name for name, _ in self.headers]
        hosts = names.count(b"host")
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() != "1.0"):
            self._malformed(f"A request has one Host header; this one has {hosts}.")
        if b"transfer-encoding" in names:
            coded = [value.strip().lower() for name, value in self.headers if name == b"transfer-encoding"]
            if coded != [b"chunked"]:
                self._malformed("The only Transfer-Encoding that is taken is chunked.")

    def _malformed(self, detail: str) -> NoReturn:
        """Refuse what is being parsed."""
        self._refusal = MalformedRequest(detail)
        raise self._refusal

    def on_body(self, body: bytes) -> None:
        """A part of a body, handed on as it is where nothing waits: uvicorn copies each part twice."""
        self.body_bytes += len(body)
        if not self.cycle.body:
            self.cycle.body = body  # type: ignore[assignment]  # a bytearray that is only ever read
            body = b""
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The end of a request's body."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _stay_with_http(self, rest: bytes) -> None:
        """Read a request that offers another protocol (Java offers h2c) as if it did not.

        The parser takes nothing after such a header for a body, so a new one reads it without the offer.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        if method == b"CONNECT":
            self._refuse(MethodNotAllowed("This is no proxy."))
            return
        lines = [b"%b %b HTTP/%b" % (method, self.url, version)]
        lines += [name + b": " + value for name, value in self.headers if name not in _OFFER]
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"\r\n".join(lines) + b"\r\n\r\n" + rest)

    def _check_pending(self, size: int) -> None:
        """The parser tells of a field when it is complete: bound what it holds of an endless one."""
        if self._clock is None:
            self._pending = 0
            return
        self._pending += size
        if self._pending > 2 * MAX_HEADER_BYTES:
            self._refuse(
                HeadersTooLarge(
                    f"the headers have more than {MAX_HEADER_BYTES} bytes", limit=MAX_HEADER_BYTES
                )
            )

    def _count(self, size: int) -> None:
        self._header_bytes += size
        try:
            check_headers(len(self.headers) + 1, self._header_bytes)
        except HeadersTooLarge as error:
            self._refusal = error
            raise

    def lingered(self, size: int) -> None:
        """The connection has ended in the midst of a request, of whose body so much was read."""
        if not self._refused:
            self.unread(size)

    # -- refusals -------------------------------------------------------------------------------

    def send_400_response(self, msg: str) -> None:
        """What uvicorn itself refuses."""
        self._refuse(MalformedRequest(msg))

    def _refuse(self, error: ImgsvcError) -> None:
        """Answer without an application, unless one is answering already; the connection ends here."""
        self._stop_clock()
        cycle = self._current
        if cycle is None or cycle.response_complete or not cycle.response_started:
            answer = problems.raw(error, request_id_of(self.headers or []), self.server_state.default_headers)
            self.transport.write(answer)
            self.counted(error.code)
        self._refused = True
        self.transport.close()

    def _start_clock(self) -> None:
        self._stop_clock()
        self._clock = self.loop.call_later(self.header_timeout, self._too_slow)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _too_slow(self) -> None:
        if self.transport.is_closing():
            return
        cycle = self._current
        if cycle is not None and not cycle.response_complete:
            self._start_clock()  # the start of a next request came early: the one before is answered first
            return
        self._refuse(
            RequestTimeout(f"The request's header did not arrive within {self.header_timeout:g} seconds.")
        )


class _Lingering(asyncio.Transport):
    """A transport whose `close` lets a client that is still sending see the answer."""

    def __init__(self, transport: asyncio.Transport, protocol: DoorProtocol) -> None:
        super().__init__()
        self._transport = transport
        self._protocol = protocol
        self._read = 0
        self._cut: asyncio.TimerHandle | None = None

    @property
    def lingers(self) -> bool:
        """Has the last answer been written, and is what still comes thrown away?"""
        return self._cut is not None

    def close(self) -> None:
        if self.is_closing():
            return
        if not self._protocol.expects_more or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._cut = self._protocol.loop.call_later(_LINGER, self._transport.close)
        self._transport.write_eof()
        self._transport.resume_reading()
        self.discard(self._protocol.body_bytes)

    def discard(self, size: int) -> None:
        """So much came that nobody wants. One read brings up to 256 KiB: there is no second one."""
        self._read += size
        if self._read:
            self._transport.pause_reading()

    def gone(self) -> None:
        """The connection is lost."""
        if self._cut is not None:
            self._cut.cancel()
            self._protocol.lingered(self._read)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self.lingers:
            self._transport.write(data)

    def abort(self) -> None:
        self._transport.abort()

    def is_closing(self) -> bool:
        return self.lingers or self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401  # as asyncio's
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._transport.set_protocol(protocol)
