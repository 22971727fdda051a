"""The vocabulary: how each operation and each format is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from imgsvc.formats import Ending
from imgsvc.operations import Operation
from imgsvc.pipeline.parameters import Parameter, Scalar, compile_parameter
from imgsvc.pipeline.preset import Use

#: What a word of a pipeline stands for.
Model = type[Operation | Ending | Use]

#: Short names that every operation and format with such a parameter takes.
ALIASES = {"q": "quality", "w": "width", "h": "height", "bg": "background"}
#: Other words for a parameter's values, by parameter.
SYNONYMS = {"fit": {"inside": "contain"}}


@dataclass(frozen=True, slots=True)
class Word:
    """How one operation, format or use of a preset is written: derived from its class alone."""

    name: str
    model: Model
    parameters: Mapping[str, Parameter]
    positional: tuple[Parameter, ...]
    aliases: Mapping[str, str]
    #: Takes `width` and `height` in place of `size`.
    sides: bool

    def field(self, key: str) -> str | None:
        """The parameter that a key names: `q` is `quality`."""
        if key in self.parameters:
            return key
        name = self.aliases.get(key)
        return name if name in self.parameters or (self.sides and name in ("width", "height")) else None

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that it takes, by its proper name."""
        return (*self.parameters, *(("width", "height") if self.sides else ()))

    def text(self, value: Operation | Ending) -> str:
        """The canonical text of one use."""
        written = list(self._arguments(value))
        return f"{self.name}:{','.join(written)}" if written else self.name

    def full(self, value: Operation | Ending) -> str:
        """One use with every argument written, those at their default too: it means the same for ever."""
        written = (
            f"{name}={parameter.text(getattr(value, name))}"
            for name, parameter in self.parameters.items()
            if getattr(value, name) is not None
        )
        return f"{self.name}:{','.join(written)}"

    def json(self, value: Operation | Ending) -> dict[str, Scalar]:
        """The JSON form of one use."""
        values = value.model_dump(mode="json")
        return {
            "op": self.name,
            **{
                name: parameter.json(values[name])
                for name, parameter in self.parameters.items()
                if _differs(parameter, getattr(value, name))
            },
        }

    def _arguments(self, value: Operation | Ending) -> Iterator[str]:
        """Its arguments: unnamed while the order allows it, bare flags never in the first place."""
        unnamed, first = True, True
        ordered = (*self.positional, *(p for p in self.parameters.values() if p not in self.positional))
        for parameter in ordered:
            given = getattr(value, parameter.name)
            if not _differs(parameter, given):
                unnamed = unnamed and parameter not in self.positional
                continue
            text = parameter.text(given)
            unnamed = unnamed and parameter in self.positional and self._stays_unnamed(text, first=first)
            if unnamed:
                yield text
            elif given is True and not (first and self.positional):
                yield parameter.name
            else:
                yield f"{parameter.name}={text}"
            first = False

    def _stays_unnamed(self, text: str, *, first: bool) -> bool:
        """Would this text be read as a positional argument?"""
        if not text:
            return False
        return first or not (text in self.parameters and self.parameters[text].flag)


def _differs(parameter: Parameter, value: object) -> bool:
    """Must this value be written?"""
    return value is not None and parameter.text(value) != parameter.default


@cache
def word(model: Model) -> Word:
    """How this operation, format or use of a preset is written."""
    fields = model.model_fields
    parameters = {name: compile_parameter(name, field) for name, field in fields.items()}
    size = parameters.get("size")
    sides = size is not None and not size.whole and not size.point and "width" not in parameters
    aliases = {**ALIASES, **model.aliases} | ({"width": "width", "height": "height"} if sides else {})
    return Word(
        name=model.__module__.rpartition(".")[2].replace("_", "-"),
        model=model,
        parameters=parameters,
        positional=tuple(parameters[name] for name in model.positional),
        aliases=aliases,
        sides=sides,
    )
