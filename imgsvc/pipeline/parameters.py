"""One parameter of an operation or a format: its text and JSON forms, and what it allows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from imgsvc.pipeline.scan import escape

#: A value as JSON has it.
Scalar = str | int | float | bool

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_POINT = re.compile(r"[+-]?[0-9]{0,18}\.[0-9]{1,400}")
#: No parameter takes a number like that; it has more digits than the text form reads.
_HUGE = 10**18
_FLAGS = {"true": True, "false": False, "1": True, "0": False}


@dataclass(frozen=True, slots=True)
class Parameter:
    """How the values of one field are written."""

    name: str
    #: A boolean: written as its bare name.
    flag: bool
    #: Which numbers it takes; with both, a point makes the difference (fraction or pixels).
    whole: bool
    point: bool
    #: Free text: nothing is trimmed, and it may be empty.
    prose: bool
    #: The default's canonical text; None where there is no default or it is None.
    default: str | None

    def read(self, text: str) -> Scalar:
        """The value that unescaped text stands for, to be judged by the field's own rules.

        Raises ValueError with the reason, as the end of a sentence.
        """
        if self.prose:
            return text
        text = text.strip()
        if not text:
            raise ValueError("is empty")
        if self.flag:
            return self._switch(text)
        if self.whole and _WHOLE.fullmatch(text):
            return int(text)
        if self.point and (_POINT.fullmatch(text) or _WHOLE.fullmatch(text)):
            return float(text)
        if (self.whole or self.point) and _number(text):
            raise ValueError  # pydantic would take it: 1e3, 1_000, inf, the digits of other scripts
        return text

    def take(self, value: Scalar) -> Scalar:
        """The value that a JSON value stands for, to be judged by the field's own rules."""
        if isinstance(value, str):
            return self.read(value)
        if isinstance(value, bool):
            if self.flag:
                return value
            raise ValueError("is a boolean")
        if self.flag:
            raise ValueError("is a number")
        if not abs(value) < _HUGE:  # NaN too
            raise ValueError("is out of all bounds")
        if self.point or (self.whole and isinstance(value, int)):
            return value
        if self.whole and float(value).is_integer():
            return int(value)  # to JSON, 80 and 80.0 are one number
        return decimal(value)

    def text(self, value: object) -> str:
        """A value's canonical text, escaped."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(value)
        if isinstance(value, float):
            return decimal(value) if self.whole else decimal(value).removesuffix(".0")
        return escape(str(value))

    def json(self, value: Scalar) -> Scalar:
        """A value that pydantic made for JSON, as canonical JSON has it: 2 and 2.0 are one number."""
        if self.point and not self.whole and isinstance(value, float) and value.is_integer():
            return int(value)
        return value

    def _switch(self, text: str) -> bool:
        try:
            return _FLAGS[text]
        except KeyError:
            raise ValueError("is neither true nor false") from None


#: `width` or `height` where they are given in place of `size`, which reads them as part of its text.
SIDE = Parameter(name="side", flag=False, whole=False, point=False, prose=False, default=None)


def decimal(value: float) -> str:
    """The shortest text that reads back as this number, without an exponent."""
    if isinstance(value, int):
        return str(value)
    if value == 0:
        return "0.0"  # minus zero too
    text = repr(value)
    return format(Decimal(text), "f") if "e" in text else text


def _number(text: str) -> bool:
    """Is this a number in some notation?"""
    try:
        float(text)
    except ValueError:
        return False
    return True


def compile_parameter(name: str, field: FieldInfo) -> Parameter:
    """How the field `name` is written."""
    leaves = set(_leaves(field.annotation))
    parameter = Parameter(
        name=name,
        flag=bool in leaves,
        whole=int in leaves,
        point=float in leaves,
        prose=leaves <= {str, type(None)},
        default=None,
    )
    if field.is_required() or field.default is None:
        return parameter
    return Parameter(
        name=name,
        flag=parameter.flag,
        whole=parameter.whole,
        point=parameter.point,
        prose=parameter.prose,
        default=parameter.text(field.default),
    )


def _leaves(annotation: Any) -> Iterator[type]:  # noqa: ANN401  # an annotation may be anything
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _leaves(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from _leaves(member)
    elif origin is Literal:
        yield from (_Word if isinstance(choice, str) else type(choice) for choice in get_args(annotation))
    elif isinstance(annotation, type):
        yield annotation


class _Word:
    """Stands for the words of a Literal among the types of a field."""
