"""`test-spin`: for outside tests, busy in C and deaf to signals."""

from __future__ import annotations

import time
from collections import deque
from itertools import repeat
from typing import ClassVar

from PIL.Image import Image
from pydantic import Field
from typing_extensions import override

from imgsvc.operations._base import Context, Operation

#: Rounds by which the speed of the loop is measured; about 10 ms.
_SAMPLE = 1_000_000


class TestSpin(Operation):
    """Use the CPU in one C call that holds the GIL: no handler or thread of Python runs (tests only)."""

    positional: ClassVar[tuple[str, ...]] = ("seconds",)
    example: ClassVar[str] = "test-spin:0.5"
    testing: ClassVar[bool] = True

    seconds: float = Field(ge=0, le=86400, description="How long, about.")

    @override
    def apply(self, image: Image, context: Context) -> Image:
        start = time.perf_counter()
        _spin(_SAMPLE)
        each = (time.perf_counter() - start) / _SAMPLE
        _spin(max(0, int(self.seconds / each) - _SAMPLE))
        return image


def _spin(rounds: int) -> None:
    deque(repeat(None, rounds), maxlen=0)
