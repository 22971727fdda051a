"""The grammar: reading and writing a pipeline of three operations and a format."""

from __future__ import annotations

import json

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from imgsvc.errors import InvalidOperation
from imgsvc.pipeline import Grammar, Pipeline
from imgsvc.pipeline.definitions import Definition, define
from imgsvc.pipeline.negotiation import accepted, resolve

ACCEPT = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
TEXT = "crop:0.8x0.8,gravity=ne/resize:300x200,fit=cover/sharpen:1.5/webp:82"


def test_parse_anew(benchmark: BenchmarkFixture) -> None:
    """Every text for the first time: what differs from caller to caller."""
    texts = iter(TEXT.replace("300x", f"{width}x") for width in range(1, 2_000_000))
    grammar = Grammar()
    assert benchmark(lambda: grammar.parse(next(texts))).operations


def test_parse_again(benchmark: BenchmarkFixture) -> None:
    grammar = Grammar()
    assert benchmark(grammar.parse, TEXT).operations


def test_parse_presets_anew(benchmark: BenchmarkFixture) -> None:
    """The same pipeline as two presets and an operation that differs each time."""
    first, last = TEXT.split("/resize", maxsplit=1)[0], "sharpen:1.5/webp:82"
    presets = define({"first": Definition(first), "last": Definition(last)}, version=1)
    texts = iter(f"preset:first/resize:{width}x200,fit=cover/preset:last" for width in range(1, 2_000_000))
    grammar = Grammar(presets=presets)
    assert len(benchmark(lambda: grammar.parse(next(texts))).operations) == 3


def test_define_presets(benchmark: BenchmarkFixture) -> None:
    """A hundred of them, each using the one before: what a start costs more."""
    definitions = {"p0": Definition(TEXT.removesuffix("/webp:82"))}
    definitions |= {f"p{n}": Definition(f"preset:p{n - 1}") for n in range(1, 100)}
    assert len(benchmark(define, definitions, version=1)) == 100


def test_load_json(benchmark: BenchmarkFixture) -> None:
    grammar = Grammar()
    form = json.dumps(grammar.parse(TEXT).json())
    assert benchmark(grammar.load, form).operations


def test_write_text(benchmark: BenchmarkFixture) -> None:
    made = Grammar().parse(TEXT)
    assert benchmark(lambda: Pipeline(made.operations, made.format).text) == TEXT


@pytest.mark.parametrize("again", [True, False], ids=["again", "anew"])
def test_resolve(benchmark: BenchmarkFixture, again: bool) -> None:
    """What `auto` is for a browser, whose `Accept` has been read before or has not."""
    pipeline = Grammar().parse("resize:300x200/auto")

    def resolved() -> Pipeline:
        if not again:
            accepted.cache_clear()
        return resolve(pipeline, ACCEPT, has_alpha=False, source_format="jpeg", moves=False)

    assert benchmark(resolved).format is not None


def test_refuse(benchmark: BenchmarkFixture) -> None:
    """Three faults, each with what is allowed and the nearest name."""
    grammar = Grammar()

    def refused() -> int:
        try:
            grammar.parse("resise:300x200/blur:0/crop:1x1,gravty=n")
        except InvalidOperation as error:
            return len(error.problem.errors)
        return 0

    assert benchmark(refused) == 3
