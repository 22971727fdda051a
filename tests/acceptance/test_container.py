"""The image runs as its own user on a read-only root, does its work and leaves with status 0.

Not part of `make test`: it builds an image, as root. `make image` runs it.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imgsvc import __version__
from tests.servers import wait_until

SCRIPT = Path(__file__).parents[2] / "scripts" / "image"
TOOLS = ("buildah", "unshare", "nsenter", "setpriv", "ip", "curl")

pytestmark = [
    pytest.mark.container,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.geteuid() != 0, reason="building without a daemon needs root"),
    *(
        pytest.mark.skipif(shutil.which(tool) is None, reason=f"{tool} is missing: apt-get install {package}")
        for tool, package in zip(
            TOOLS, ("buildah", "util-linux", "util-linux", "util-linux", "iproute2", "curl"), strict=True
        )
    ),
]

#: A container in small: namespaces of its own, a read-only root, one volume, no privileges.
START = """
ip link set lo up
mount --make-rprivate /
mount --bind "$root" "$root"
mount --bind "$data" "$root/data"
mount -t tmpfs tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o size=64m tmpfs "$root/dev/shm"
mount -o remount,ro,bind "$root"
exec setpriv --no-new-privs chroot --userspec="$user" "$root" /usr/bin/env -i -C "$folder" "$@"
"""


def script(*arguments: str) -> str:
    found = subprocess.run(
        [str(SCRIPT), *arguments], capture_output=True, text=True, check=False, timeout=280
    )
    assert found.returncode == 0, found.stderr[-3000:]
    return found.stdout


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    """What the image, built now, is set to."""
    script("build")
    found: dict[str, Any] = json.loads(script("inspect"))["Docker"]["config"]
    return found


@dataclass
class Container:
    """The image, running."""

    process: subprocess.Popen[bytes]
    root: Path
    log: Path

    @property
    def pid(self) -> int:
        """The service's pid as this machine sees it; inside it is 1."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def inside(self, *command: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        """Run one of this machine's programs on the container's network."""
        return subprocess.run(
            ["nsenter", f"--net=/proc/{self.pid}/ns/net", *command],
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )

    def ask(self, path: str, *options: str, stdin: bytes | None = None) -> bytes:
        found = self.inside(
            "curl", "-sS", "--fail-with-body", *options, f"http://127.0.0.1:8000{path}", stdin=stdin
        )
        assert found.returncode == 0, (found.stderr, found.stdout, self.log.read_text()[-2000:])
        return found.stdout


@pytest.fixture
def container(config: dict[str, Any], tmp_path: Path) -> Iterator[Container]:
    name, root = script("unpack").split()
    data = tmp_path / "data"
    data.mkdir(mode=0o750)
    user, group = (int(number) for number in config["User"].split(":"))
    os.chown(data, user, group)
    log = tmp_path / "log"
    command = [*config["Env"], *config["Entrypoint"], *config["Cmd"]]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                "unshare",
                "--mount",
                "--pid",
                "--net",
                "--fork",
                "sh",
                "-euc",
                START,
                "sh",
                *command,
            ],
            env={
                **os.environ,
                "root": root,
                "data": str(data),
                "user": config["User"],
                "folder": config["WorkingDir"],
            },
            stdout=output,
            stderr=output,
        )
        running = Container(process, Path(root), log)
        try:
            wait_until(lambda: b"listening on" in log.read_bytes(), 60, log.read_text)
            yield running
        finally:
            # Its own end first: `--kill-child` is forgotten by a child that changes its user.
            if process.poll() is None:
                os.kill(running.pid, signal.SIGKILL)
            process.wait(20)
            script("drop", name)


def test_the_image_says_how_it_is_to_be_run(config: dict[str, Any]) -> None:
    assert config["User"] == "10001:10001"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Volumes"] == {"/data": {}}
    assert config["Healthcheck"]["Test"] == ["CMD", "imgsvc", "healthcheck"]
    assert "IMGSVC_HOST=0.0.0.0" in config["Env"]
    assert config["Labels"]["org.opencontainers.image.version"] == __version__


def test_it_works_as_its_own_user_on_a_read_only_root_and_leaves_with_status_0(
    container: Container, photo: Callable[..., bytes]
) -> None:
    status = dict(
        line.split(":\t", 1)
        for line in Path(f"/proc/{container.pid}/status").read_text().splitlines()
        if ":\t" in line
    )
    assert status["Uid"].split() == ["10001"] * 4
    assert status["CapEff"].strip("0") == ""
    assert status["NoNewPrivs"] == "1"
    assert status["NSpid"].split()[-1] == "1"
    source = photo(1200, 900)
    made = container.ask("/v1/process?ops=resize:300x200,fit=cover/webp", "--data-binary", "@-", stdin=source)
    with Image.open(io.BytesIO(made)) as image:
        assert (image.format, image.size) == ("WEBP", (300, 200))
    job = json.loads(
        container.ask(
            "/v1/jobs?ops=thumbnail:100x100/png", "-H", "Prefer: wait=20", "--data-binary", "@-", stdin=source
        )
    )
    assert job["status"] == "succeeded"
    result = container.ask(f"/v1/jobs/{job['id']}/result")
    with Image.open(io.BytesIO(result)) as image:
        assert (image.format, image.size) == ("PNG", (100, 75))
    os.kill(container.pid, signal.SIGTERM)
    assert container.process.wait(30) == 0
    assert "Traceback" not in container.log.read_text()


def test_its_health_can_be_asked_from_within(config: dict[str, Any], container: Container) -> None:
    asked = subprocess.run(
        [
            *("nsenter", f"--net=/proc/{container.pid}/ns/net"),
            *("chroot", f"--userspec={config['User']}", str(container.root)),
            *("/usr/bin/env", "-i", *config["Env"], *config["Healthcheck"]["Test"][1:]),
        ],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert asked.returncode == 0, asked.stderr


def test_the_image_holds_no_more_than_it_needs(container: Container) -> None:
    installed = {
        path.name.partition("-")[0] for path in (container.root / "opt/imgsvc/lib").glob("*/site-packages/*")
    }
    assert "imgsvc" in installed
    for tool in ("pip", "setuptools", "pytest", "hatchling"):
        assert tool not in installed
    assert not list((container.root / "opt/imgsvc").rglob("test_photos*"))
    assert not (container.root / "build").exists()
