"""What holds for every pipeline that can be built from the registries."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgsvc.errors import Fault, InvalidOperation
from imgsvc.pipeline import Grammar, Pipeline
from imgsvc.raster.geometry import Size


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_canonical_text_reads_back_as_the_same_pipeline(
    data: st.DataObject, pipelines: st.SearchStrategy[Pipeline]
) -> None:
    pipeline = data.draw(pipelines)
    again = Grammar(testing=True).parse(pipeline.text)
    assert (again.operations, again.format) == (pipeline.operations, pipeline.format)
    assert again.text == pipeline.text


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_the_json_form_reads_back_as_the_same_pipeline(
    data: st.DataObject, pipelines: st.SearchStrategy[Pipeline]
) -> None:
    pipeline = data.draw(pipelines.filter(lambda drawn: drawn.text != ""))
    grammar = Grammar(testing=True)
    form = json.loads(json.dumps(pipeline.json()))
    assert grammar.load(form) == pipeline
    assert grammar.load(json.dumps(form)) == pipeline
    assert grammar.load([*pipeline.text.split("/")]) == pipeline


@settings(max_examples=200, deadline=None)
@given(data=st.data(), width=st.integers(1, 5000), height=st.integers(1, 5000))
def test_every_pipeline_tells_sizes_of_at_least_one_pixel(
    data: st.DataObject, pipelines: st.SearchStrategy[Pipeline], width: int, height: int
) -> None:
    pipeline = data.draw(pipelines)
    sizes = pipeline.sizes(Size(width, height))
    assert len(sizes) == len(pipeline.operations)
    assert all(type(side) is int and side >= 1 for size in sizes for side in size)


@settings(max_examples=500, deadline=None)
@given(
    text=st.text(max_size=200)
    | st.text('blurcop:,=/|~2C3x0.5[]{}" \n', max_size=200)
    | st.from_regex(
        r"(crop|blur|pad|keep|border|nope)(:[a-z0-9=,.~]*)?(/[a-z]+(:[0-9x.=,]*)?)*", fullmatch=True
    )
)
def test_any_text_is_a_pipeline_or_an_error_with_faults(text: str, grammar: Grammar) -> None:
    found: tuple[Fault, ...] = ()
    try:
        pipeline = grammar.load(text)
        assert grammar.parse(pipeline.text) == pipeline
    except InvalidOperation as error:
        found = error.problem.errors or pytest.fail("an error without a fault")
    for fault in found:
        assert fault.pointer is not None
        assert fault.offset is None or 0 <= fault.offset <= len(text)
        assert len(fault.detail) < 600


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["op", "size", "sigma", "x", "width", "color"]) | st.text(max_size=5), inner
        )
    ),
    max_leaves=12,
)
_calls: st.SearchStrategy[dict[str, object]] = st.dictionaries(
    st.sampled_from(["op", "size", "sigma", "x", "y", "gravity", "width", "color", "icc"]),
    st.sampled_from(
        ["crop", "blur", "keep", "10x10", "red", 3, 0.5, True, None, [], {}, float("nan"), 10**400]
    ),
)


@settings(max_examples=500, deadline=None)
@given(value=_json | st.lists(_calls, max_size=3))
def test_any_json_is_a_pipeline_or_an_error_with_faults(value: object, grammar: Grammar) -> None:
    with suppress(InvalidOperation):
        pipeline = grammar.load(value)
        assert grammar.parse(pipeline.text) == pipeline
