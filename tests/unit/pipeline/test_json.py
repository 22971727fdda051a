"""The JSON form, as a list of texts and as a list of objects."""

from __future__ import annotations

import json

import pytest

from imgsvc.errors import InvalidOperation
from imgsvc.pipeline import Grammar

SAME = "crop:300x200,x=1/blur:4/keep:icc"


@pytest.mark.parametrize(
    "form",
    [
        ["crop:300x200,x=1", "blur:4", "keep:icc"],
        [{"op": "crop", "size": "300x200", "x": 1}, {"op": "blur", "sigma": 4}, {"op": "keep", "icc": True}],
        [{"op": "crop", "width": 300, "height": 200, "x": "1"}, "blur:4.0", {"icc": "true", "op": "keep"}],
        [{"op": "crop", "w": 300, "h": 200, "x": 1, "y": None}, {"op": "blur", "sigma": 4.0}, "keep:icc"],
    ],
)
def test_the_forms_say_the_same(form: list[object], grammar: Grammar) -> None:
    assert grammar.load(form).text == SAME
    assert grammar.load(json.dumps(form)).text == SAME
    assert grammar.load(f"  {json.dumps(form)}\n").text == SAME
    assert grammar.load(SAME).text == SAME


def test_canonical_json_leaves_defaults_out_and_has_numbers_as_numbers(grammar: Grammar) -> None:
    pipeline = grammar.load("crop:w=300,x=0.5,y=2/sharpen:1.0,sigma=2.0/rotate:45,expand=false/avif:q=70")
    assert pipeline.json() == [
        {"op": "crop", "size": "300x", "x": 0.5, "y": 2},
        {"op": "sharpen", "sigma": 2},
        {"op": "rotate", "degrees": 45, "expand": False},
        {"op": "avif", "quality": 70},
    ]
    assert '"x":0.5,"y":2}' in json.dumps(pipeline.json(), separators=(",", ":"))


def test_values_in_objects_are_not_escaped(grammar: Grammar) -> None:
    with pytest.raises(InvalidOperation, match="'~2C'"):
        grammar.load([{"op": "border", "width": 1, "color": "~2C"}])


@pytest.mark.parametrize(
    ("form", "pointer", "says"),
    [
        ([{"op": "blur", "sigma": True}], "/0/sigma", "is a boolean"),
        ([{"op": "keep", "icc": 1}], "/0/icc", "is a number"),
        ([{"op": "keep", "icc": "yes"}], "/0/icc", "neither true nor false"),
        ([{"op": "blur", "sigma": [4]}], "/0/sigma", "neither text, a number nor a boolean"),
        ([{"op": "blur", "sigma": None}], "/0/sigma", "neither text"),
        ([{"op": "blur", "sigma": float("nan")}], "/0/sigma", "out of all bounds"),
        ([{"op": "blur", "sigma": float("inf")}], "/0/sigma", "out of all bounds"),
        ([{"op": "border", "width": 10**30}], "/0/width", "out of all bounds"),
        ([{"op": "border", "width": 2.5}], "/0/width", "can't be '2.5'"),
        ([{"op": "crop", "size": "1x1", "width": 3}], "/0/width", "not both"),
        ([{"op": "crop", "w": 0}], "/0/w", "size of crop can't be '0x'"),
        ([{"op": "crop", "w": True}], "/0/w", "is a boolean"),
        ([{"op": "blur", "sigma": "\ud800"}], "/0/sigma", "U+D800"),
        ([{"op": "blur", "a/b~c": 1}], "/0/a~1b~0c", "no argument 'a/b~c'"),
        ([{"sigma": 1}], "/0/op", "needs its name"),
        ([{"op": 3}], "/0/op", "needs its name"),
        ([{"op": "blurr"}], "/0/op", "did you mean 'blur'"),
        (["flip", 3], "/1", "text or an object"),
        (["flip", ["flip"]], "/1", "text or an object"),
        (["flip/flop"], "/0", "one operation"),
        ({"op": "flip"}, "", "a list of operations"),
        (3, "", "a list of operations"),
        (None, "", "a list of operations"),
        (b"flip", "", "a list of operations"),
    ],
)
def test_a_fault_is_placed_by_its_pointer(form: object, pointer: str, says: str, grammar: Grammar) -> None:
    with pytest.raises(InvalidOperation) as caught:
        grammar.load(form)
    (fault,) = caught.value.problem.errors
    assert fault.pointer == pointer
    assert says in fault.detail
    assert fault.offset is None


def test_a_whole_number_may_be_written_with_a_point_in_json_alone(grammar: Grammar) -> None:
    assert grammar.load([{"op": "border", "width": 3.0}]).text == "border:3"
    with pytest.raises(InvalidOperation):
        grammar.load("border:3.0")


@pytest.mark.parametrize(
    "text",
    [
        '["flip"',
        "[NaN]",
        '[{"op":"blur","sigma":Infinity}]',
        "[" * 8000,
        "[" + "9" * 5000 + "]",
        '["flip"] x',
    ],
)
def test_broken_json_is_refused(text: str, grammar: Grammar) -> None:
    with pytest.raises(InvalidOperation, match="not valid JSON"):
        grammar.load(text)


def test_a_repeated_key_is_seen_in_json_text(grammar: Grammar) -> None:
    with pytest.raises(InvalidOperation, match="given sigma twice"):
        grammar.load('[{"op":"blur","sigma":1,"sigma":2}]')
    with pytest.raises(InvalidOperation, match="in 'op', once"):
        grammar.load('[{"op":"blur","op":"flip"}]')
    with pytest.raises(InvalidOperation, match="given size twice"):
        grammar.load('[{"op":"thumbnail","size":"1x","size":"2x"}]')
