"""Sizes, extents, gravity and boxes: arithmetic on rectangles, no pixels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Self

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from imgsvc.raster.written import Written

#: The longest side that may be asked for, in pixels: the longest that a JPEG can have.
MAX_SIDE = 65535
#: The largest fraction of a source that may be asked for.
MAX_FRACTION = 100.0
#: Fractions are kept to millionths, so that arithmetic on them is exact.
_MILLION = 1_000_000


class Size(NamedTuple):
    """Width and height in whole pixels, each at least 1."""

    width: int
    height: int

    @property
    def pixels(self) -> int:
        """Width x height."""
        return self.width * self.height

    @property
    def turned(self) -> Size:
        """The size after a quarter turn."""
        return Size(self.height, self.width)

    def fits(self, other: Size) -> bool:
        """Is neither side longer than the other's?"""
        return self.width <= other.width and self.height <= other.height

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


class Box(NamedTuple):
    """A rectangle in pixels; fractions of a pixel are meant."""

    left: float
    top: float
    right: float
    bottom: float

    def scaled(self, x: float, y: float) -> Box:
        """The same rectangle on a picture that is `x` and `y` times as large."""
        return Box(self.left * x, self.top * y, self.right * x, self.bottom * y)

    def within(self, size: Size) -> Box:
        """What of it lies on a picture of this size: rounding may have put an edge a hair outside."""
        return Box(
            max(0.0, self.left),
            max(0.0, self.top),
            min(float(size.width), self.right),
            min(float(size.height), self.bottom),
        )


class Offset(NamedTuple):
    """A place in whole pixels, from the left and the top."""

    x: int
    y: int


def half_up(numerator: int, denominator: int) -> int:
    """A quotient of positive whole numbers, rounded half up, at least 1: what a side becomes."""
    return max(1, (2 * numerator + denominator) // (2 * denominator))


def _millionths(fraction: float) -> int:
    return round(fraction * _MILLION)


def _number(value: float) -> str:
    """A fraction with its point (`1.0` stays one), never with an exponent."""
    text = f"{value:.6f}".rstrip("0")
    return f"{text}0" if text.endswith(".") else text


@dataclass(frozen=True, slots=True)
class Length(Written):
    """A distance: whole pixels (int), or a fraction of a side of the picture (float).

    The text `10` is pixels, `0.5` and `1.0` are fractions: the point decides.
    """

    value: int | float

    ALLOWED: ClassVar[str] = (
        f"pixels from 0 to {MAX_SIDE}, or a fraction with a point from 0.0 to {MAX_FRACTION}"
    )
    PATTERN: ClassVar[str] = r"[0-9]+|[0-9]*\.[0-9]+"
    EXAMPLE: ClassVar[str] = "10"

    def __post_init__(self) -> None:
        if isinstance(self.value, float):
            object.__setattr__(self, "value", round(self.value, 6))
        if not 0 <= self.value <= (MAX_FRACTION if isinstance(self.value, float) else MAX_SIDE):
            raise ValueError(self.ALLOWED)

    @property
    def fraction(self) -> bool:
        """Is this a fraction of a side, not pixels?"""
        return isinstance(self.value, float)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `10` or `0.5`; raises ValueError."""
        if not re.fullmatch(cls.PATTERN, text, re.ASCII):
            raise ValueError(cls.ALLOWED)
        return cls(float(text) if "." in text else int(text))

    @classmethod
    def _read(cls, value: object) -> Self:
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                return cls(value)
            except ValueError:
                raise cls._refusal(value) from None
        return super(Length, cls)._read(value)

    def of(self, side: int) -> int:
        """The distance in whole pixels on a side of that many, rounded half up; may be 0."""
        if isinstance(self.value, int):
            return self.value
        return (2 * _millionths(self.value) * side + _MILLION) // (2 * _MILLION)

    def plain(self) -> int | float:
        """The value as JSON writes it: a number, whose point decides too."""
        return self.value

    def __str__(self) -> str:
        return str(self.value) if isinstance(self.value, int) else _number(self.value)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": ["integer", "number", "string"], "minimum": 0, "description": cls.ALLOWED}


@dataclass(frozen=True, slots=True)
class SizeSpec(Written):
    """A size as it is asked for: `300x200`, `300x`, `x200`, `0.5`, `0.5x0.5`.

    A side is pixels or, with a point, a fraction of the same side of the picture; at least one is
    given. One fraction alone (`scale`) is both sides.
    """

    width: Length | None
    height: Length | None
    scale: bool = False

    ALLOWED: ClassVar[str] = (
        f"300x200, 300x, x200 or a fraction such as 0.5 or 0.5x0.5; 1 to {MAX_SIDE} pixels or "
        f"0.000001 to {MAX_FRACTION} times a side"
    )
    PATTERN: ClassVar[str] = (
        rf"[0-9]*\.[0-9]+|(?:{Length.PATTERN})x(?:{Length.PATTERN})?|x(?:{Length.PATTERN})"
    )
    EXAMPLE: ClassVar[str] = "300x200"

    def __post_init__(self) -> None:
        sides = [side for side in (self.width, self.height) if side is not None]
        if not sides or not all(side.value for side in sides):
            raise ValueError(self.ALLOWED)
        if self.scale and (len(sides) < 2 or sides[0] != sides[1] or not sides[0].fraction):
            raise ValueError(self.ALLOWED)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text form; raises ValueError."""
        width, cross, height = text.partition("x")
        if not cross:
            both = Length.parse(width)
            return cls(both, both, scale=True)
        return cls(
            Length.parse(width) if width else None,
            Length.parse(height) if height else None,
        )

    @classmethod
    def _meant(cls, value: object) -> tuple[str, ...]:
        """One bare number is a side without its cross."""
        side = str(value)
        if re.fullmatch(r"[1-9][0-9]{0,4}", side) and int(side) <= MAX_SIDE:
            return f"{side}x", f"x{side}", f"{side}x{side}"
        return ()

    @classmethod
    def of(cls, width: str | float | None, height: str | float | None) -> Self:
        """From two sides given apart, as JSON may (`width`, `height`); raises ValueError."""
        sides = [
            None if side is None else Length.parse(side) if isinstance(side, str) else Length(side)
            for side in (width, height)
        ]
        return cls(sides[0], sides[1])

    def sides(self, size: Size) -> tuple[int | None, int | None]:
        """What is asked of each side of a picture of `size`, in pixels, at least 1; None: not given."""
        return (
            None if self.width is None else max(1, self.width.of(size.width)),
            None if self.height is None else max(1, self.height.of(size.height)),
        )

    def whole(self, size: Size) -> Size:
        """The asked size for a picture of `size`; a side that is not given stays as it is."""
        width, height = self.sides(size)
        return Size(width or size.width, height or size.height)

    def proportional(self, size: Size) -> Size:
        """The asked size for a picture of `size`; a side that is not given follows the other's ratio."""
        width, height = self.sides(size)
        if width is None and height is not None:
            return Size(half_up(size.width * height, size.height), height)
        if height is None and width is not None:
            return Size(width, half_up(size.height * width, size.width))
        return self.whole(size)

    def __str__(self) -> str:
        if self.scale:
            return str(self.width)
        return f"{'' if self.width is None else self.width}x{'' if self.height is None else self.height}"


_COMPASS = {
    "center": (0.5, 0.5),
    "n": (0.5, 0.0),
    "ne": (1.0, 0.0),
    "e": (1.0, 0.5),
    "se": (1.0, 1.0),
    "s": (0.5, 1.0),
    "sw": (0.0, 1.0),
    "w": (0.0, 0.5),
    "nw": (0.0, 0.0),
}
#: Found by looking at the picture (`saliency.settle`); where there is nothing to choose, the middle.
_CONTENT = ("entropy", "attention")


@dataclass(frozen=True, slots=True)
class Gravity(Written):
    """Which part of a picture counts, or where in a canvas it lies.

    A compass point aligns that edge or corner; a focal point `0.3x0.7` is brought as near to the
    middle as the edges allow; `entropy` is the part of the most detail, `attention` what draws the eye.
    """

    #: A compass point or a way to look for the place; empty with a focal point.
    name: str = "center"
    focus: tuple[float, float] | None = None

    ALLOWED: ClassVar[str] = f"{', '.join((*_COMPASS, *_CONTENT))} or a focal point such as 0.3x0.7"
    PATTERN: ClassVar[str] = rf"{'|'.join((*_COMPASS, *_CONTENT))}|[01]?\.[0-9]+x[01]?\.[0-9]+"
    EXAMPLE: ClassVar[str] = "center"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `ne` or `0.3x0.7`; raises ValueError."""
        if text in _COMPASS or text in _CONTENT:
            return cls(text)
        if not re.fullmatch(r"[01]?\.[0-9]+x[01]?\.[0-9]+", text, re.ASCII):
            raise ValueError(cls.ALLOWED)
        x, y = (round(float(part), 6) for part in text.split("x"))
        if max(x, y) > 1:
            raise ValueError(cls.ALLOWED)
        return cls("", (x, y))

    @property
    def by_content(self) -> bool:
        """Must a picture be looked at to know the place?"""
        return self.name in _CONTENT

    def offset(self, room: Size, part: Size) -> Offset:
        """Where a `part` of a `room` begins: what to cut out, or where on a canvas to lay it."""
        return Offset(
            _place(self._align(0, room.width, part.width), room.width - part.width),
            _place(self._align(1, room.height, part.height), room.height - part.height),
        )

    def box(self, room: Size, width: float, height: float) -> Box:
        """The box of `width` x `height`, fractions of a pixel meant, within a `room`."""
        left = (room.width - width) * self._align(0, room.width, width)
        top = (room.height - height) * self._align(1, room.height, height)
        return Box(left, top, min(left + width, room.width), min(top + height, room.height))

    def _align(self, axis: int, room: float, part: float) -> float:
        """0: at the left or the top, 1: at the right or the bottom."""
        if self.focus is None:
            return _COMPASS.get(self.name, _COMPASS["center"])[axis]
        free = room - part
        if free <= 0:
            return self.focus[axis]
        return min(max((self.focus[axis] * room - part / 2) / free, 0.0), 1.0)

    def __str__(self) -> str:
        return self.name if self.focus is None else "x".join(map(_number, self.focus))


def _place(align: float, free: int) -> int:
    """A whole pixel; what is left over by centring lies to the right and below."""
    return int(free * align) if free >= 0 else -int(-free * align)


#: The middle.
CENTER = Gravity()
