"""Presets: what they stand for, where they may stand, and what their versions mean."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from imgsvc.errors import Fault, InvalidOperation
from imgsvc.pipeline import Grammar, Presets
from imgsvc.pipeline.definitions import Definition, PresetsRefused, define

OPS: Mapping[str, object] = {
    "avatar": "resize:128x128,fit=cover/webp:80",
    "soft": ["preset:raw", {"op": "blur", "sigma": 2.5}],
    "raw": "orient:none",
    "small": "resize:10x",
    "tiny": [{"op": "preset", "name": "small"}, {"op": "jpeg", "quality": 30}],
    "long": "/".join(["flip"] * 19),
    "web": "webp:82",
}


def made(ops: Mapping[str, object], *, version: int = 1, testing: bool = False) -> Presets:
    return define({name: Definition(value) for name, value in ops.items()}, version=version, testing=testing)


PRESETS = made(OPS)


@pytest.fixture(scope="module")
def grammar() -> Grammar:
    return Grammar(presets=PRESETS)


def fault(grammar: Grammar, value: object) -> Fault:
    """The only one."""
    with pytest.raises(InvalidOperation) as refused:
        grammar.load(value)
    (found,) = refused.value.problem.errors
    return found


def refusals(ops: Mapping[str, object]) -> dict[str, list[str]]:
    with pytest.raises(PresetsRefused) as refused:
        made(ops)
    return {name: [fault.detail for fault in faults] for name, faults in refused.value.faults.items()}


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("preset:avatar", "resize:128x128,fit=cover/webp"),
        ("preset: avatar ", "resize:128x128,fit=cover/webp"),
        ("preset:name=avatar", "resize:128x128,fit=cover/webp"),
        ("preset:small/grayscale/png", "resize:10x/grayscale/png"),
        ("grayscale|preset:small|preset:web", "grayscale/resize:10x/webp:82"),
        ("preset:tiny", "resize:10x/jpeg:30"),
        ("preset:soft/flip", "orient:none/blur:2.5/flip"),
        ("preset:web", "webp:82"),
        (["flip", "preset:small"], "flip/resize:10x"),
        ([{"op": "flip"}, {"op": "preset", "name": "avatar"}], "flip/resize:128x128,fit=cover/webp"),
        ('[{"op":"preset","name":"small"},"png"]', "resize:10x/png"),
    ],
)
def test_a_preset_stands_for_its_pipeline(written: object, canonical: str, grammar: Grammar) -> None:
    pipeline = grammar.load(written)
    assert pipeline.text == canonical
    assert Grammar().parse(canonical) == pipeline, "nobody needs to know a preset to read it"
    assert [step["op"] for step in pipeline.json()] == [
        word.partition(":")[0] for word in canonical.split("/")
    ]


def test_a_pipeline_tells_which_presets_it_was_written_with_and_whether_their_versions(
    grammar: Grammar,
) -> None:
    plain, floating = grammar.parse("resize:10x/jpeg:30"), grammar.parse("preset:tiny")
    pinned = grammar.parse(f"preset:{PRESETS['tiny'].pinned}")
    assert plain == floating == pinned
    assert (plain.presets, floating.presets, pinned.presets) == ((), ("tiny",), ("tiny",))
    assert (plain.floating, floating.floating, pinned.floating) == (False, True, False)
    both = grammar.parse(
        f"preset:{PRESETS['small'].pinned}/preset:raw/preset:small".replace("/preset:raw", "")
    )
    assert (both.presets, both.floating) == (("small",), True)


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        ("blur:sigma=2.50|flip", "blur:2.5/flip"),
        ("preset: small |blur:2.0", "preset:small/blur"),
        ([{"op": "preset", "name": PRESETS["tiny"].pinned}], f"preset:{PRESETS['tiny'].pinned}"),
    ],
)
def test_a_pipeline_tells_how_it_was_written_in_one_spelling(
    asked: object, written: str, grammar: Grammar
) -> None:
    pipeline = grammar.load(asked)
    assert pipeline.written == written
    assert grammar.parse(written) == pipeline


def test_a_preset_holds_no_preset() -> None:
    assert PRESETS["tiny"].pipeline.presets == ()
    assert not PRESETS["tiny"].pipeline.floating
    assert list(PRESETS) == list(OPS), "they keep the order in which they were written down"


def test_a_version_means_that_version_only(grammar: Grammar) -> None:
    current = PRESETS["avatar"].pinned
    assert grammar.load([{"op": "preset", "name": current}]).text == PRESETS["avatar"].pipeline.text
    for version in ("000000000000", "", PRESETS["avatar"].hash[:6], PRESETS["avatar"].hash + "0", "é"):
        found = fault(grammar, f"flip/preset:avatar@{version}")
        assert (found.pointer, found.offset) == ("/1/name", 12)
        assert f"preset 'avatar' has no version '{version}'" in found.detail
        assert current in found.detail
        assert found.allowed == (current,)


def test_a_version_is_another_one_where_the_pictures_may_be_others() -> None:
    def version(ops: object, version: int = 1) -> str:
        return made({"it": ops}, version=version)["it"].hash

    assert len(version("flip")) == 12
    assert version("blur:3") == version([{"op": "blur", "sigma": 3.0}])
    assert len({version("blur:3"), version("blur:4"), version("blur:3/png"), version("blur:3", 2)}) == 4
    assert made({"a": "blur:3", "b": "preset:a/png"})["b"].hash != (
        made({"a": "blur:4", "b": "preset:a/png"})["b"].hash
    )


@pytest.mark.parametrize(
    ("written", "pointer", "offset", "says"),
    [
        ("preset:avatr", "/0/name", 7, "there is no preset 'avatr'; did you mean 'avatar'?"),
        ("flip/preset:nothing", "/1/name", 12, "there is no preset 'nothing'"),
        ("preset:AVATAR", "/0/name", 7, "there is no preset 'AVATAR'; did you mean 'avatar'?"),
        ("preset", "/0/name", 0, "preset needs name"),
        ("preset:", "/0/name", 7, "preset needs the name of a preset"),
        ("preset:avatar,small", "/0", 14, "preset has no argument 'small' here"),
        ("preset:avatar,size=3", "/0/size", 14, "preset has no argument 'size', it takes name"),
        ("preset:avatar/flip", "/0", 0, "preset 'avatar' has the format webp, which can only be last"),
        ("preset:avatar/png", "/0", 0, "preset 'avatar' has the format webp, which can only be last"),
        ("png/preset:small", "/0", 0, "the format png can only be last"),
        ("flip/preset:soft", "/1", 5, "preset 'soft' has orient, which can only be first"),
        ("presets:small", "/0", 0, "there is no operation 'presets'; did you mean 'preset'"),
        ("flip/small", "/1", 5, "there is no operation 'small'; did you mean 'preset:small'?"),
        ([{"op": "preset"}], "/0/name", None, "preset needs name"),
        ([{"op": "preset", "name": 3}], "/0/name", None, "there is no preset '3'"),
        ([{"op": "preset", "name": ["raw"]}], "/0/name", None, "name of preset is neither text"),
        (["flip", {"op": "preset", "name": "no"}], "/1/name", None, "there is no preset 'no'"),
    ],
)
def test_a_fault_is_placed_and_says_what_may_be_meant(
    written: object, pointer: str, offset: int | None, says: str, grammar: Grammar
) -> None:
    found = fault(grammar, written)
    assert (found.pointer, found.offset) == (pointer, offset)
    assert says in found.detail


def test_an_unknown_preset_is_answered_with_those_that_there_are(grammar: Grammar) -> None:
    assert fault(grammar, "preset:nothing").allowed == tuple(OPS)
    none = fault(Grammar(), "preset:nothing")
    assert none.allowed == ()
    assert none.detail == "there is no preset 'nothing'; none is defined"


def test_the_word_is_told_only_where_there_are_presets(grammar: Grammar) -> None:
    assert "preset" in str(fault(grammar, "nope").allowed)
    assert "preset" not in str(fault(Grammar(), "nope").allowed)


def test_operations_are_counted_with_those_of_presets(grammar: Grammar) -> None:
    assert len(grammar.parse("preset:long/flip/png").operations) == 20
    assert len(grammar.parse("flip/preset:long/preset:web").operations) == 20
    found = fault(grammar, "flip/preset:long/flip")
    assert (found.pointer, found.detail) == ("/2", "a pipeline has at most 20 operations")
    found = fault(grammar, "flip/flip/preset:long/flip")
    assert found.pointer == "/2"
    assert found.detail == "a pipeline has at most 20 operations, those of preset 'long' among them"
    assert found.allowed == "at most 20 operations"


@pytest.mark.parametrize("name", ["a", "A1", "hero_2x", "0", "x" * 64, "a-b"])
def test_a_name_that_fits_into_a_url_is_taken(name: str) -> None:
    presets = made({name: "flip"})
    assert Grammar(presets=presets).parse(f"preset:{presets[name].pinned}").text == "flip"


@pytest.mark.parametrize("name", ["", "-a", "_a", "a b", "a@b", "a/b", "a.b", "é", "a\n", "x" * 65])
def test_a_name_that_does_not_is_refused_with_the_rule(name: str) -> None:
    with pytest.raises(PresetsRefused) as refused:
        made({name: "flip"})
    (found,) = refused.value.faults[name]
    assert "a preset can't be called" in found.detail
    assert "1 to 64 letters, digits" in str(found.allowed)


def test_a_definition_that_is_no_pipeline_is_refused_with_every_fault() -> None:
    assert refusals({"a": "blur:200/flip:1", "good": "flip", "b": "preset:gone", "c": ""}) == {
        "a": ["sigma of blur can't be 200.0; allowed is 0.3 to 100", "flip has no argument '1' here"],
        "b": ["there is no preset 'gone'"],
        "c": ["the pipeline is empty"],
    }


def test_presets_that_would_be_parts_of_themselves_are_refused() -> None:
    assert refusals({"a": "preset:a"}) == {"a": ["it would be a part of itself: a → a"]}
    assert refusals({"x": "flip/preset:a", "a": "preset:b", "b": ["preset:c"], "c": "preset:a/png"}) == {
        "x": ["it uses preset 'a', which is refused itself"],
        "a": ["it uses preset 'b', which is refused itself"],
        "b": ["it uses preset 'c', which is refused itself"],
        "c": ["it would be a part of itself: a → b → c → a"],
    }


def test_the_rules_of_a_pipeline_hold_in_definitions_with_presets_written_out() -> None:
    assert refusals({"web": "webp", "late": "preset:web/flip"}) == {
        "late": ["preset 'web' has the format webp, which can only be last"]
    }
    assert refusals({"ten": "/".join(["flip"] * 10), "more": "preset:ten/preset:ten/flip"}) == {
        "more": ["a pipeline has at most 20 operations"]
    }
    current = made({"old": "flip"})["old"].pinned
    assert refusals({"old": "flip", "it": "preset:old@000000000000"}) == {
        "it": [f"preset 'old' has no version '000000000000'; the current one is '{current}'"]
    }


def test_a_chain_of_presets_may_be_long() -> None:
    chain = {f"p{n}": f"preset:p{n + 1}" for n in range(3000)} | {"p3000": "flip"}
    assert made(chain)["p0"].pipeline.text == "flip"


def test_operations_for_outside_tests_are_in_presets_only_where_asked_for() -> None:
    assert made({"a": "test-sleep:1"}, testing=True)["a"].pipeline.text == "test-sleep:1"
    assert "there is no operation 'test-sleep'" in refusals({"a": "test-sleep:1"})["a"][0]
