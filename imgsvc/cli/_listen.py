"""The socket that the service listens on, taken before anything else is started."""

from __future__ import annotations

import errno
import socket

#: Connections that may wait to be accepted; the kernel has its own upper bound.
BACKLOG = 2048


class CannotListen(Exception):
    """The address can't be listened on; `str(error)` says why and what to do."""


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; raises CannotListen."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError):
        raise CannotListen(f"there is no address {host!r} to listen on; --host names another") from None
    opened = socket.socket(family, kind, protocol)
    try:
        # A port whose last user has just gone may be taken at once; one that is in use may not.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
    except OSError as error:
        opened.close()
        raise CannotListen(_reason(error, host, port)) from None
    return opened


def url_of(opened: socket.socket) -> str:
    """The address under which a client on this machine reaches the socket."""
    host, port = opened.getsockname()[:2]
    return f"http://[{host}]:{port}" if opened.family is socket.AF_INET6 else f"http://{host}:{port}"


def _reason(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use by another program; --port names another one"
    if error.errno == errno.EACCES:
        return f"port {port} may only be used by root; --port names another one"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine; --host names another one"
    return f"can't listen on port {port} of {host}: {error.strerror}"
