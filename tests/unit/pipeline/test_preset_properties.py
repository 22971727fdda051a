"""What holds for every preset that can be defined, wherever it stands."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgsvc.errors import InvalidOperation
from imgsvc.pipeline import Grammar, Pipeline
from imgsvc.pipeline.definitions import Definition, PresetsRefused, define

NAMES = ("a", "b", "c", "d")


def made(grammar: Grammar, value: object) -> Pipeline | None:
    """None where it is refused."""
    try:
        return grammar.load(value)
    except InvalidOperation as error:
        return None if error.problem.errors else pytest.fail("an error without a fault")


def refused(definitions: dict[str, Definition]) -> set[str]:
    """The names of those that are."""
    try:
        define(definitions, version=1)
    except PresetsRefused as error:
        return {name for name, faults in error.faults.items() if faults} or pytest.fail("without a fault")
    return set()


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_preset_means_what_its_pipeline_means_wherever_it_stands(
    data: st.DataObject, pipelines: st.SearchStrategy[Pipeline]
) -> None:
    some = pipelines.filter(lambda drawn: drawn.text != "")
    written = {name: data.draw(some) for name in data.draw(st.sets(st.sampled_from(NAMES), min_size=1))}
    presets = define(
        {name: Definition(pipeline.text) for name, pipeline in written.items()}, version=1, testing=True
    )
    grammar, plain = Grammar(testing=True, presets=presets), Grammar(testing=True)
    words = data.draw(st.lists(st.sampled_from([*written, "flip"]), min_size=1, max_size=5))
    pinned = data.draw(st.booleans())

    def use(name: str) -> str:
        return presets[name].pinned if pinned else name

    texts = [f"preset:{use(word)}" if word in written else word for word in words]
    forms = [{"op": "preset", "name": use(word)} if word in written else {"op": word} for word in words]
    found = made(grammar, "/".join(texts))
    assert found == made(grammar, json.loads(json.dumps(forms)))
    assert found == made(plain, "/".join(str(written.get(word, word)) for word in words))
    if found is not None:
        used = list(dict.fromkeys(word for word in words if word in written))
        assert list(found.presets) == used
        assert found.floating is (bool(used) and not pinned)
        assert plain.parse(found.text) == found, "it reads back without presets"
        assert not plain.parse(found.text).floating


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_two_presets_have_one_version_only_where_they_make_the_same(
    data: st.DataObject, pipelines: st.SearchStrategy[Pipeline]
) -> None:
    some = pipelines.filter(lambda drawn: drawn.text != "")
    first, second = data.draw(some), data.draw(some)
    presets = define({"a": Definition(first.text), "b": Definition(second.json())}, version=1, testing=True)
    assert (presets["a"].hash == presets["b"].hash) is (first == second)
    again = define({"c": Definition(first.json())}, version=1, testing=True)
    assert again["c"].hash == presets["a"].hash


_ops = st.lists(
    st.sampled_from(["flip", "blur:3", "png", "orient:none", "nope", *(f"preset:{name}" for name in NAMES)]),
    max_size=3,
)


@settings(max_examples=300, deadline=None)
@given(written=st.dictionaries(st.sampled_from(NAMES), _ops), reverse=st.booleans())
def test_any_definitions_are_presets_or_refused_by_name_in_whatever_order(
    written: dict[str, list[str]], reverse: bool
) -> None:
    definitions = {name: Definition("/".join(ops)) for name, ops in written.items()}
    turned = dict(reversed(definitions.items())) if reverse else definitions
    faults = refused(definitions)
    assert refused(turned) == faults
    assert faults <= set(written)
    if not faults:
        presets = define(turned, version=1)
        assert list(presets) == list(turned)
        grammar = Grammar(presets=presets)
        for name, definition in definitions.items():
            assert grammar.load(definition.ops) == presets[name].pipeline


@settings(max_examples=400, deadline=None)
@given(text=st.text("preset:ab@/|,=~ 0f", max_size=60))
def test_any_use_of_presets_is_a_pipeline_or_an_error_with_its_place(text: str) -> None:
    presets = define({"a": Definition("flip"), "b": Definition("preset:a/png")}, version=1)
    grammar = Grammar(presets=presets)
    try:
        found = grammar.parse(text)
    except InvalidOperation as error:
        for fault in error.problem.errors:
            assert fault.pointer is not None
            assert fault.offset is None or 0 <= fault.offset <= len(text)
    else:
        assert Grammar().parse(found.text) == found
