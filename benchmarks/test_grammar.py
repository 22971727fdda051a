"""The grammar: reading and writing a pipeline of three operations and a format."""

from __future__ import annotations

import json

from pytest_benchmark.fixture import BenchmarkFixture

from imgsvc.errors import InvalidOperation
from imgsvc.pipeline import Grammar, Pipeline

TEXT = "crop:0.8x0.8,gravity=ne/resize:300x200,fit=cover/sharpen:1.5/webp:82"


def test_parse_anew(benchmark: BenchmarkFixture) -> None:
    """Every text for the first time: what differs from caller to caller."""
    texts = iter(TEXT.replace("300x", f"{width}x") for width in range(1, 2_000_000))
    grammar = Grammar()
    assert benchmark(lambda: grammar.parse(next(texts))).operations


def test_parse_again(benchmark: BenchmarkFixture) -> None:
    grammar = Grammar()
    assert benchmark(grammar.parse, TEXT).operations


def test_load_json(benchmark: BenchmarkFixture) -> None:
    grammar = Grammar()
    form = json.dumps(grammar.parse(TEXT).json())
    assert benchmark(grammar.load, form).operations


def test_write_text(benchmark: BenchmarkFixture) -> None:
    made = Grammar().parse(TEXT)
    assert benchmark(lambda: Pipeline(made.operations, made.format).text) == TEXT


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
