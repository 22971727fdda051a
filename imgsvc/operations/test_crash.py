"""`test-crash`: for outside tests, ends the process that runs it."""

from __future__ import annotations

import os
import signal
from typing import ClassVar, Literal

from PIL.Image import Image
from pydantic import Field
from typing_extensions import override

from imgsvc.operations._base import Context, Operation


class TestCrash(Operation):
    """End the worker process (tests only)."""

    positional: ClassVar[tuple[str, ...]] = ("how",)
    example: ClassVar[str] = "test-crash:kill"
    testing: ClassVar[bool] = True

    how: Literal["segv", "kill", "exit"] = Field(
        description="By a segmentation fault, by SIGKILL, or by leaving without a word."
    )

    @override
    def apply(self, image: Image, context: Context) -> Image:
        if self.how == "exit":
            os._exit(3)
        os.kill(os.getpid(), signal.SIGSEGV if self.how == "segv" else signal.SIGKILL)
        return image
