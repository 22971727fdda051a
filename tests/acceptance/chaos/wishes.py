"""What clients ask for, and what must come of it: made from a seed, rendered here once more to compare."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from imgsvc.imaging import Limits, render
from imgsvc.pipeline import Grammar
from tests.photos import photo

#: Base pictures by name: small, usual and large ones.
PICTURES: Mapping[str, bytes] = {
    # Of more bytes than what is made of it: else it might be the result itself (nothing is ever larger than
    # its source), but not with the comment that some are sent with.
    "small.jpg": photo(96, 72, seed=1, quality=95),
    "usual.jpg": photo(800, 600, seed=2, quality=85),
    "large.jpg": photo(1600, 1200, seed=3, quality=90),
    "clear.png": photo(200, 150, format="PNG", mode="RGBA", seed=4),
    "plain.webp": photo(320, 240, format="WEBP", seed=5, quality=80),
}
_JPEGS = tuple(name for name in PICTURES if name.endswith(".jpg"))
#: A comment in a JPEG holds so many bytes.
_COMMENT = 65533


class Kind(StrEnum):
    """What a wish does to the worker that fulfils it."""

    GOOD = "good"
    CRASH = "crash"
    SPIN = "spin"
    MEMORY = "memory"
    CORRUPT = "corrupt"


#: The code of the error that must come of it.
CODES: Mapping[Kind, str] = {
    Kind.CRASH: "worker-crashed",
    Kind.SPIN: "processing-timeout",
    Kind.MEMORY: "image-too-large-for-memory",
    Kind.CORRUPT: "image-corrupt",
}


@dataclass(frozen=True)
class Wish:
    """One picture and one or several pipelines; `timeout` in seconds; None is the service's usual."""

    kind: Kind
    picture: str
    outputs: Mapping[str, str]
    timeout: float | None = None
    attempts: int | None = None

    @property
    def ops(self) -> str | None:
        """The pipeline, where there is only one."""
        return self.outputs["default"] if set(self.outputs) == {"default"} else None

    def fields(self) -> dict[str, object]:
        """What is sent of it, beside the picture."""
        said: dict[str, object] = (
            {"ops": self.ops} if self.ops is not None else {"outputs": dict(self.outputs)}
        )
        if self.timeout is not None:
            said["timeout"] = self.timeout
        return said if self.attempts is None else said | {"max_attempts": self.attempts}


def good(random: Random, *, slow: bool) -> Wish:
    """Work that must succeed; slow work is more likely to be met by a disaster."""
    picture = random.choice(list(PICTURES))
    outputs = {"default": _spec(random, slow=slow)}
    if random.random() < 0.3:
        outputs = {f"o{number}": _spec(random, slow=slow) for number in range(random.randint(2, 4))}
    return Wish(Kind.GOOD, picture, outputs)


def lethal(random: Random) -> Wish:
    """Work that kills its worker, runs for ever, eats memory or has only half of its picture."""
    kind = random.choice([Kind.CRASH, Kind.CRASH, Kind.SPIN, Kind.MEMORY, Kind.CORRUPT])
    picture = random.choice(_JPEGS)
    # A width of its own: what kills its workers is refused for a while, and must not be mistaken for others.
    width = random.randint(8, 4000)
    match kind:
        case Kind.CRASH:
            spec = f"test-crash:{random.choice(['segv', 'kill', 'exit'])}/resize:{width}x"
        case Kind.SPIN:
            spec = f"test-spin:60/resize:{width}x"
        case Kind.MEMORY:
            spec = f"test-memory:{random.choice([2**30, 2**34])}/resize:{width}x"
        case _:
            picture, spec = "large.jpg", f"resize:{width}x"
    return Wish(
        kind,
        picture,
        {"default": spec},
        timeout=1.0 if kind is Kind.SPIN else None,
        attempts=random.choice([1, 1, 2, None]) if kind is Kind.CRASH else None,
    )


def body(wish: Wish, random: Random, *, padding: int = 0) -> bytes:
    """The file to send: the shared bytes, or a file of its own with at least `padding` bytes more."""
    data = PICTURES[wish.picture]
    if wish.picture in _JPEGS and (padding or random.random() < 0.7):
        data = data[:2] + _comments(random, padding) + data[2:]
    if wish.kind is Kind.CORRUPT:
        data = data[: len(data) - len(PICTURES[wish.picture]) // 2]
    return data


def _comments(random: Random, padding: int) -> bytes:
    written = b""
    for _ in range(1 + padding // _COMMENT):
        text = random.randbytes(_COMMENT if padding else 16)
        written += b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text
    return written


def _spec(random: Random, *, slow: bool) -> str:
    width, quality = random.randint(16, 400), random.choice([40, 60, 80])
    spec = random.choice(
        [
            f"resize:{width}x/webp:{quality}",
            f"resize:{width}x{width},fit=cover/jpeg:{quality}",
            f"thumbnail:{width}x{width}",
            f"crop:0.5x0.5/grayscale/resize:{width}x/png",
            f"flip/resize:x{width}/jpeg:{quality}",
        ]
    )
    return f"test-sleep:{random.uniform(0.1, 1.2):.2f}/{spec}" if slow else spec


class References:
    """What an undisturbed run makes of a wish: rendered in this process by the same code."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[str, tuple[tuple[str, str], ...]], dict[str, str]] = {}
        self._grammar, self._limits = Grammar(testing=True), Limits()

    def digests(self, wish: Wish) -> dict[str, str]:
        """The sha256 of each output, by its name."""
        named = wish.picture, tuple(wish.outputs.items())
        with self._lock:
            if named not in self._known:
                self._known[named] = self._render(wish)
            return self._known[named]

    def _render(self, wish: Wish) -> dict[str, str]:
        # Sleeping changes no pixel; that an operation comes first may (the decode is reduced for a resize).
        targets = [
            (name, self._grammar.parse(re.sub(r"test-sleep:[0-9.]+", "test-sleep:0", spec)))
            for name, spec in wish.outputs.items()
        ]
        rendered = render(PICTURES[wish.picture], targets, self._limits)
        return {
            name: hashlib.sha256(made.data).hexdigest()
            for (name, _), made in zip(targets, rendered, strict=True)
        }
