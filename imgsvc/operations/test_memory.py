"""`test-memory`: for outside tests, uses memory."""

from __future__ import annotations

from typing import ClassVar

from PIL.Image import Image
from pydantic import Field
from typing_extensions import override

from imgsvc.operations._base import Context, Operation


class TestMemory(Operation):
    """Allocate memory and touch all of it; where that fails the image is refused (tests only)."""

    positional: ClassVar[tuple[str, ...]] = ("bytes",)
    example: ClassVar[str] = "test-memory:1000000"
    testing: ClassVar[bool] = True

    bytes: int = Field(ge=1, le=2**40, description="How many bytes.")

    @override
    def apply(self, image: Image, context: Context) -> Image:
        # A MemoryError is the caller's image-too-large-for-memory, as it is in every operation.
        block = memoryview(bytearray(self.bytes))
        block[::4096] = b"\1" * len(block[::4096])
        return image
