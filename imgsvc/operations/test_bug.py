"""`test-bug`: for outside tests, fails as no operation should."""

from __future__ import annotations

from typing import ClassVar

from PIL.Image import Image
from typing_extensions import override

from imgsvc.operations._base import Context, Operation


class TestBug(Operation):
    """Raise what nobody expects (tests only)."""

    example: ClassVar[str] = "test-bug"
    testing: ClassVar[bool] = True

    @override
    def apply(self, image: Image, context: Context) -> Image:
        raise LookupError("test-bug was asked for")
