"""Which format `auto` becomes: what a client accepts against what suits the picture."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from imgsvc import formats
from imgsvc.formats.auto import Auto
from imgsvc.pipeline.pipeline import Pipeline

#: Formats that are only for a client which names them: `*/*` is said by many that can't show them.
_NAMED_ONLY = frozenset({"avif", "webp"})
#: A member of the Accept header (RFC 9110 §12.5.1), which may be empty; Java says `*` for `*/*`.
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = rf';(?:[ \t]*{_NAME}(?:=(?:{_NAME}|"(?:[^"\\]|\\.)*"))?)?'
_MEMBER = re.compile(
    rf"[ \t]*+(?:(?P<range>{_NAME}/{_NAME}|\*)(?P<parameters>(?:[ \t]*{_PARAMETER})*))?[ \t]*+(?:,|$)"
)
_EACH = re.compile(_PARAMETER)
_WEIGHT = re.compile(r";[ \t]*q=(.*)", re.IGNORECASE)
_NUMBER = re.compile(r"0?\.[0-9]+|0\.?|1(?:\.0*)?")
#: Characters of an `Accept` that are read; browsers send up to 200.
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Client:
    """Who a result is for."""

    #: Its `Accept`; None where there is none.
    accept: str | None = None
    #: How many pixels an AVIF may have where it would do with something else; None: any number.
    avif_pixels: int | None = None


#: Weights by media range, in lower case.
Weights = Mapping[str, float]


def resolve(
    pipeline: Pipeline,
    accept: str | None,
    *,
    has_alpha: bool,
    source_format: str,
    moves: bool,
    slow: bool = True,
) -> Pipeline:
    """The pipeline with the format that `auto` means for a client that sends this `Accept`.

    `has_alpha`, `source_format` and `moves` tell of the source; `slow`: may it be AVIF where something else
    would do? What does not end in `auto` is answered
    as it is. An `Accept` that is malformed counts as absent; where it allows nothing that could be made,
    the client gets what it would get without one (RFC 9110 §12.5.1 lets it).
    """
    if not isinstance(pipeline.format, Auto):
        return pipeline
    weights = accepted(accept)
    if moves:
        name = _moving(weights, source_format)
    else:
        name = _still(weights, alpha=pipeline.alpha_after(has_alpha), slow=slow)
    chosen = pipeline.format.of(formats.registry()[name])
    return replace(pipeline, format=chosen, or_source=weight(weights, source_format) > 0)


@lru_cache(256)
def accepted(accept: str | None) -> Weights:
    """What an `Accept` header says; everything where it is absent, empty or malformed."""
    everything = {"*/*": 1.0}
    weights: dict[str, float] = {}
    position, text = 0, accept or ""
    if len(text) > _LONGEST:
        return everything
    while position < len(text):
        found = _MEMBER.match(text, position)
        if found is None:
            return everything
        position = found.end()
        if found["range"] is None:
            continue
        weight = _weight(found["parameters"])
        if weight is None:
            return everything
        kind = "*/*" if found["range"] == "*" else found["range"].lower()
        weights[kind] = max(weight, weights.get(kind, 0.0))
    return weights or everything


def weight(weights: Weights, name: str) -> float:
    """How much a client wants a format: the most specific range that holds it decides; 0 is not at all."""
    media_type = formats.registry()[name].media_type
    if media_type in weights or name in _NAMED_ONLY:
        return weights.get(media_type, 0.0)
    return weights.get("image/*", weights.get("*/*", 0.0))


def _still(weights: Weights, *, alpha: bool, slow: bool) -> str:
    """One of the new formats or the plain one that suits the picture; others only for want of these."""
    plain, other = ("png", "jpeg") if alpha else ("jpeg", "png")
    # Some browsers prefer PNG to anything else, and mean no photographs by that.
    new = ("avif", "webp") if slow else ("webp",)
    return (
        _best(weights, (*new, plain)) or _best(weights, (other, "gif")) or _best(weights, ("avif",)) or plain
    )


def _moving(weights: Weights, source_format: str) -> str:
    """A format that moves; a still picture only for a client that refuses all of them."""
    own = (source_format,) if formats.registry()[source_format].animated else ()
    return _best(weights, ("webp", *own, "gif", "avif")) or _best(weights, ("png", "jpeg")) or "gif"


def _best(weights: Weights, names: Iterable[str]) -> str | None:
    """The format that is wanted most, the first among equals; None where none is wanted."""
    best = max(names, key=lambda name: weight(weights, name))
    return best if weight(weights, best) > 0 else None


def _weight(parameters: str) -> float | None:
    """What `q` says, 1 where it says nothing; None where it is malformed. No other parameter matters."""
    for parameter in _EACH.findall(parameters):
        if found := _WEIGHT.fullmatch(parameter):
            return float(found[1]) if _NUMBER.fullmatch(found[1]) else None
    return 1.0
