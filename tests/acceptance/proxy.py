"""Debian's nginx in front of a server: started on loopback with a configuration of the test's own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.servers import Server, wait_until

#: Where Debian has it: not everybody's PATH goes there.
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is missing: apt-get install nginx-light")

#: All that it writes stays in one folder; it ends when its standard input's owner does.
_FRAME = """
daemon off;
{user}
pid {folder}/pid;
error_log {folder}/error.log warn;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    {servers}
}}
"""


def free_ports(number: int) -> list[int]:
    """Ports of the loopback that nobody listens on, all different."""
    sockets = [socket.socket() for _ in range(number)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


@contextmanager
def nginx(folder: Path, servers: str, ports: list[int]) -> Iterator[Path]:
    """nginx with these `server` blocks, listening on these ports; its error log."""
    assert NGINX is not None
    folder.mkdir()
    # A master of root's gives its workers away to another user, who may not enter a test's folder.
    user = "user root;" if os.geteuid() == 0 else ""
    configuration, log = folder / "nginx.conf", folder / "error.log"
    configuration.write_text(_FRAME.format(folder=folder, user=user, servers=servers))
    command = [NGINX, "-p", str(folder), "-c", str(configuration), "-e", str(log)]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        wait_until(
            lambda: process.poll() is not None or all(_listens(port) for port in ports),
            explain=log.read_text,
        )
        assert process.poll() is None, (folder / "output").read_text() + log.read_text()
        yield log
    finally:
        process.terminate()  # its master takes its workers along
        process.wait(20)


def through(server: Server, port: int) -> Server:
    """The same server, asked by way of another port."""
    return replace(server, port=port)


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            return True
    except OSError:
        return False
