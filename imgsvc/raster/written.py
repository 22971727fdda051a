"""Values that callers write as text: read by pydantic from text, written as text."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


class Written:
    """A value with one text form; a frozen dataclass below it is a pydantic field type.

    A value that can't be read is a pydantic error whose context has `allowed`, and `meant` where there is
    a guess.
    """

    __slots__ = ()

    #: What `allowed` tells a caller whose value was refused, and the schema's pattern.
    ALLOWED: ClassVar[str]
    PATTERN: ClassVar[str]
    EXAMPLE: ClassVar[str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text form; raises ValueError."""
        raise NotImplementedError

    @classmethod
    def _read(cls, value: object) -> Self:
        """A value of this type from what a caller gave."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, str):
            raise cls._refusal(value)
        try:
            return cls.parse(value)
        except ValueError:
            raise cls._refusal(value) from None

    @classmethod
    def _refusal(cls, value: object) -> PydanticCustomError:
        noun = cls.__name__.lower().removesuffix("spec")
        told = {"given": repr(value), "noun": noun, "allowed": cls.ALLOWED, "meant": cls._meant(value)}
        return PydanticCustomError(noun, "{given} is not a {noun}", told)

    @classmethod
    def _meant(cls, value: object) -> tuple[str, ...]:  # noqa: ARG003  # few types can tell
        """What may have been meant by a value that is refused, as it is written."""
        return ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401  # pydantic's hook
        return core_schema.no_info_plain_validator_function(
            cls._read, serialization=core_schema.plain_serializer_function_ser_schema(cls.plain)
        )

    def plain(self) -> str | int | float:
        """The value as JSON writes it."""
        return str(self)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {
            "type": "string",
            "pattern": f"^(?:{cls.PATTERN})$",
            "description": cls.ALLOWED,
            "examples": [cls.EXAMPLE],
        }
