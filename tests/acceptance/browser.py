"""Debian's Chromium without a window, driven over a pipe: the DevTools protocol, as far as needed here."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is missing: apt-get install chromium")

#: Seconds that it may take to start, and to do what it is told, on a busy machine.
_PATIENCE = 45.0
_OPTIONS = (
    "--headless=new",
    "--remote-debugging-pipe",
    # Root, and containers without user namespaces, have none; it sees nothing but the tests' own pages.
    "--no-sandbox",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-proxy-server",
)
#: It reads commands from descriptor 3 and answers on 4, each message ended by a zero byte.
_START = 'exec "$0" "$@" 3</dev/fd/{commands} 4>/dev/fd/{answers}'

Message = dict[str, Any]


@dataclass
class Page:
    """One tab."""

    browser: Browser
    session: str
    #: What was fetched, by URL without a fragment: the status and the media type as the browser sees them.
    fetched: dict[str, tuple[int, str]] = field(default_factory=dict)
    #: URLs that were not on the network: the browser had them.
    from_cache: list[str] = field(default_factory=list)
    #: What the browser's console says is wrong.
    complaints: list[str] = field(default_factory=list)
    loaded: int = 0

    def open(self, url: str) -> None:
        """Go there; returns when everything that is not lazy has been loaded."""
        before = self.loaded
        self.do("Page.navigate", url=url)
        self.browser.until(lambda: self.loaded > before)

    def do(self, method: str, **parameters: object) -> Message:
        """One command of the protocol."""
        return self.browser.do(method, self.session, **parameters)

    def ask(self, expression: str) -> Any:  # noqa: ANN401  # what JavaScript gives may be anything
        """What an expression, or the promise that it gives, comes to in the page."""
        given = self.do("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in given, given
        return given["result"].get("value")

    def hear(self, method: str, told: Message) -> None:
        """An event."""
        match method:
            case "Page.loadEventFired":
                self.loaded += 1
            case "Network.responseReceived":
                response = told["response"]
                self.fetched[response["url"]] = (response["status"], response["mimeType"])
                if response.get("fromDiskCache"):
                    self.from_cache.append(response["url"])
            case "Network.requestServedFromCache":
                self.from_cache.append(told["requestId"])
            case "Log.entryAdded":
                self.complaints.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")


class Browser:
    """A browser that is up."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands = commands
        self._answers = answers
        self._heard = b""
        self._number = 0
        self._results: dict[int, Message] = {}
        self._pages: dict[str, Page] = {}

    def page(self, *, scale: float = 1, width: int = 1000, height: int = 600) -> Page:
        """A new tab on a screen with so many pixels of the device to one of CSS."""
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        session = self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Page(self, session)
        for room in ("Page", "Network", "Log", "Runtime"):
            page.do(f"{room}.enable")
        page.do(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=False,
        )
        return page

    def do(self, method: str, session: str | None = None, **parameters: object) -> Message:
        """One command, and its result."""
        self._number += 1
        number = self._number
        told: Message = {"id": number, "method": method, "params": parameters}
        if session is not None:
            told["sessionId"] = session
        os.write(self._commands, json.dumps(told).encode() + b"\0")
        self.until(lambda: number in self._results)
        answer = self._results.pop(number)
        assert "error" not in answer, (method, answer["error"])
        result: Message = answer["result"]
        return result

    def until(self, condition: Callable[[], bool]) -> None:
        """Listen until the condition holds."""
        deadline = time.monotonic() + _PATIENCE
        while not condition():
            ready, _, _ = select.select([self._answers], [], [], max(0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            heard = os.read(self._answers, 1 << 20)
            assert heard, "the browser has ended"
            *messages, self._heard = (self._heard + heard).split(b"\0")
            for message in messages:
                self._hear(json.loads(message))

    def _hear(self, message: Message) -> None:
        if "id" in message:
            self._results[message["id"]] = message
        elif (page := self._pages.get(message.get("sessionId", ""))) is not None:
            page.hear(message["method"], message["params"])


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """A browser with a profile of its own in a folder."""
    assert CHROMIUM is not None
    commands_in, commands = os.pipe()
    answers, answers_out = os.pipe()
    start = _START.format(commands=commands_in, answers=answers_out)
    command = ["sh", "-c", start, CHROMIUM, *_OPTIONS, f"--user-data-dir={folder / 'profile'}"]
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, pass_fds=(commands_in, answers_out), env=_environment(folder)
        )
    os.close(commands_in)
    os.close(answers_out)
    browser = Browser(commands, answers)
    try:
        yield browser
        browser.do("Browser.close")
        process.wait(20)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)
        os.close(commands)
        os.close(answers)


def _environment(folder: Path) -> dict[str, str]:
    """It writes beside its profile too."""
    homes = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "TMPDIR"), str(folder))
    return {**os.environ, **homes}
