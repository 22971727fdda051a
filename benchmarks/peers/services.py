"""The servers that are compared, started on loopback as their documentation recommends for production."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from blake3 import blake3

from benchmarks.peers import installs
from benchmarks.peers.orders import Mode, Order
from benchmarks.peers.template import Address, Template
from benchmarks.running import server

PATIENCE_S = 30.0
#: What the machine grants us; everybody may use all of it.
CPUS = len(os.sched_getaffinity(0))
OURS = "imgsvc"

_OUR_OPERATIONS = "resize:{width}x[/blur:{blur}][/sharpen:1,sigma={sharpen}]/{format}[:{quality}]"
#: For files of the folder that everybody reads, and for images that have been uploaded.
OUR_TEMPLATE = Template("/r/@{file}/" + _OUR_OPERATIONS)
OUR_STORED_TEMPLATE = Template("/r/{image}/" + _OUR_OPERATIONS)
THUMBOR_TEMPLATE = Template(
    "/unsafe/{width}x0/filters:format({format})[:quality({quality})][:blur({radius},{blur})]"
    "[:sharpen(1,{sharpen},false)]/{file}"
)
IPX_TEMPLATE = Template("/w_{width},f_{format}[,q_{quality}][,blur_{blur}][,sharpen_{sharpen}]/{file}")


@dataclass(frozen=True)
class Service:
    """A server that is up; `pid` is the top of its processes where that is known."""

    name: str
    port: int
    template: Template
    pid: int | None = None
    #: Its name and version and those of what does its work.
    made_of: str = ""
    #: Does it keep anything from one request to the next?
    remembers: bool = True
    #: Ids of the files that it had to be given beforehand.
    images: Mapping[Path, str] = field(default_factory=dict)
    #: Brings it into the state that a mode is about, as far as these files are concerned: it forgets all that
    #: it has made of them, and for `Mode.FIRST` the files themselves.
    forget: Callable[[Sequence[Path], Mode], None] = lambda _, __: None

    def path(self, file: Path, order: Order, quality: int | None) -> str:
        """How this server is asked for that."""
        known = {"image": self.images[file]} if file in self.images else {}
        return self.template.path({"file": file.name} | known | order.values(quality))


@contextlib.contextmanager
def ours(files: Sequence[Path], folder: Path, *, stored: bool = False) -> Iterator[Service]:
    """Our service with its defaults and the folder of the files, or with the files as `stored` images."""
    with server({} if stored else {"IMGSVC_SOURCES_DIR": str(folder)}) as running:
        images = {file: _upload(running.port, file) if stored else _image(file) for file in files}
        if not stored:
            _check_known(running.port, files[0], images[files[0]])

        def forget(which: Sequence[Path], mode: Mode) -> None:
            for file in which:
                # A file of the folder is no image to the service until somebody asks for it.
                _purge(running.port, images[file], missing=not stored)
                if mode is Mode.FIRST and not stored:
                    file.touch()  # so it is another one, which has to be read to know what it holds

        template = OUR_STORED_TEMPLATE if stored else OUR_TEMPLATE
        version = json.loads(_call(running.port, "GET", "/version"))["version"]
        made_of = f"imgsvc {version} (files {'uploaded beforehand' if stored else 'of the folder'})"
        yield Service(OURS, running.port, template, running.pid, made_of, images=images, forget=forget)


@contextlib.contextmanager
def thumbor(cache: Path, images: Path, scratch: Path, *, stored: bool = False) -> Iterator[Service]:
    """A thumbor with a process for each CPU and the file loader; with `stored`, it keeps results in files."""
    command, made_of = installs.thumbor(cache)
    results = scratch / "thumbor-results"
    settings = {
        "LOADER": "thumbor.loaders.file_loader",
        "FILE_LOADER_ROOT_PATH": str(images),
        "STORAGE": "thumbor.storages.no_storage",
        "RESULT_STORAGE": "thumbor.result_storages.file_storage" if stored else None,
        "RESULT_STORAGE_FILE_STORAGE_ROOT_PATH": str(results),
        "RESULT_STORAGE_STORES_UNSAFE": stored,
        "ENGINE_THREADPOOL_SIZE": CPUS,
        "RESPECT_ORIENTATION": True,
        "AUTO_WEBP": False,
        "ALLOW_UNSAFE_URL": True,
        "SECURITY_KEY": "on loopback only",
    }
    config = scratch / f"thumbor{'-stored' * stored}.conf"
    config.write_text("".join(f"{name} = {value!r}\n" for name, value in settings.items()))
    port = _free_port()
    arguments = ["--ip", "127.0.0.1", "--port", str(port), "--processes", str(CPUS)]
    whole = [str(command), *arguments, "--log-level", "error", "--conf", str(config)]
    with _running(whole, {}, scratch / "thumbor.log", port) as pid:
        yield Service("thumbor", port, THUMBOR_TEMPLATE, pid, made_of, remembers=stored)


@contextlib.contextmanager
def ipx(cache: Path, images: Path, scratch: Path) -> Iterator[Service]:
    """An ipx as its README serves a folder, and sharp as its documentation asks for on glibc."""
    installed, made_of = installs.ipx(cache)
    port = _free_port()
    command = ["node", str(Path(__file__).with_name("ipx.mjs")), str(installed), str(images), str(port)]
    environment = {"NODE_ENV": "production", "MALLOC_ARENA_MAX": "2", "UV_THREADPOOL_SIZE": str(max(4, CPUS))}
    with _running(command, environment, scratch / "ipx.log", port) as pid:
        yield Service("ipx", port, IPX_TEMPLATE, pid, made_of, remembers=False)


def other(address: Address) -> Service:
    """A server that somebody else has started: what its processes use is not known."""
    return Service(address.name, address.port, address.template)


@contextlib.contextmanager
def _running(command: Sequence[str], settings: Mapping[str, str], log: Path, port: int) -> Iterator[int]:
    """A server in a session of its own, up; ended with SIGTERM, and what is left of its session killed."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, env={**os.environ, **settings}, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait_until_up(process, port, log)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_until_up(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} did not come up:\n{log.read_text()[-2000:]}")


def _upload(port: int, file: Path) -> str:
    answer = json.loads(_call(port, "POST", "/v1/images", file.read_bytes()))
    return str(answer["id"])


def _image(file: Path) -> str:
    """The id that we know its content by."""
    return f"img_{blake3(file.read_bytes()).hexdigest()[:32]}"


def _check_known(port: int, file: Path, image: str) -> None:
    """Raises RuntimeError where the service knows the files of its folder by other ids than we do.

    Else a purge by a wrong id would pass for one of a file that nobody has asked for, and forget nothing.
    """
    _call(port, "GET", f"/r/@{file.name}/resize:16x/jpeg")
    _purge(port, image)


def _purge(port: int, image: str, *, missing: bool = False) -> None:
    _call(port, "POST", f"/v1/cache:purge?image={image}", missing=missing)


def _call(port: int, method: str, path: str, body: bytes | None = None, *, missing: bool = False) -> bytes:
    """The answer's body; raises RuntimeError for errors, for 404 unless it may be `missing`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    allowed = {http.HTTPStatus.NOT_FOUND} if missing else set()
    if answer.status >= http.HTTPStatus.MULTIPLE_CHOICES and answer.status not in allowed:
        raise RuntimeError(f"{method} {path}: {answer.status} {content[:300]!r}")
    return content


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port
