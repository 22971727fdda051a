"""`test-sleep`: for outside tests, takes its time."""

from __future__ import annotations

import time
from typing import ClassVar

from PIL.Image import Image
from pydantic import Field
from typing_extensions import override

from imgsvc.operations._base import Context, Operation


class TestSleep(Operation):
    """Wait without using the CPU (tests only)."""

    positional: ClassVar[tuple[str, ...]] = ("seconds",)
    example: ClassVar[str] = "test-sleep:0.5"
    testing: ClassVar[bool] = True

    seconds: float = Field(ge=0, le=86400, description="How long.")

    @override
    def apply(self, image: Image, context: Context) -> Image:
        time.sleep(self.seconds)
        return image
