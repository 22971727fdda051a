"""Every fault is found, placed and told with what is allowed."""

from __future__ import annotations

import time

import pytest

from imgsvc.errors import Fault, InvalidOperation
from imgsvc.pipeline import Grammar
from imgsvc.pipeline.scan import MAX_LENGTH


def faults(grammar: Grammar, text: str) -> tuple[Fault, ...]:
    with pytest.raises(InvalidOperation) as caught:
        grammar.load(text)
    return caught.value.problem.errors


@pytest.mark.parametrize(
    ("text", "pointer", "at", "says"),
    [
        ("flip/blr:3", "/1", "blr", "no operation 'blr'; did you mean 'blur'"),
        ("greyscale", "/0", "greyscale", "did you mean 'grayscale'"),
        ("flip/blur:0.1", "/1/sigma", "0.1", "sigma of blur can't be 0.1; allowed is 0.3 to 100"),
        ("blur:sigma=101", "/0/sigma", "sigma=101", "allowed is 0.3 to 100"),
        ("blur:soft", "/0/sigma", "soft", "can't be 'soft'"),
        ("blur:nan", "/0/sigma", "nan", "can't be 'nan'"),
        ("blur:inf", "/0/sigma", "inf", "can't be 'inf'"),
        ("blur:1e1", "/0/sigma", "1e1", "can't be '1e1'"),
        ("border:1_0", "/0/width", "1_0", "can't be '1_0'"),
        ("border:٣", "/0/width", "٣", "can't be '٣'"),
        ("blur:", "/0/sigma", "", "is empty"),
        ("blur:3,", "/0", "", "an argument is empty"),
        ("blur:sigma=", "/0/sigma", "sigma=", "is empty"),
        ("blur:3,sigma=4", "/0/sigma", "sigma=4", "given sigma twice"),
        ("blur:sigma=4,3", "/0", "3", "no argument '3' here"),
        ("blur:3,4", "/0", "4", "no argument '4' here"),
        ("blur:radius=4", "/0/radius", "radius=4", "no argument 'radius', it takes sigma"),
        ("sharpen:treshold=4", "/0/treshold", "treshold=4", "did you mean 'threshold'"),
        ("crop:10x10,ne", "/0", "ne", "did you mean 'gravity=ne'"),
        ("keep:ic", "/0", "ic", "did you mean 'icc'"),
        ("rotate:9,expnd", "/0", "expnd", "did you mean 'expand'"),
        ("rotate:9,expand=no", "/0/expand", "expand=no", "neither true nor false"),
        ("rotate", "/0/degrees", "rotate", "rotate needs degrees: -360 to 360"),
        ("flip/orient:none", "/1", "orient", "orient can only be first"),
        ("orient:non", "/0/mode", "non", "did you mean 'none'"),
        ("avif/flip", "/0", "avif", "the format avif can only be last"),
        ("flip//flop", "/1", "/flop", "an operation is missing"),
        ("flip/", "/1", "", "an operation is missing"),
        ("crop:10x10,x=1,gravity=n", "/0/gravity", "gravity=n", "not both"),
        ("keep", "/0", "keep", "it needs icc, copyright or both"),
        ("Flip", "/0", "Flip", "did you mean 'flip'"),
        ("jpge", "/0", "jpge", "no operation 'jpge'; did you mean 'jpeg'"),
        ("jpg/flip", "/0", "jpg", "the format jpeg can only be last"),
        ("thumbnail:256", "/0/size", "256", "; did you mean '256x' or 'x256' or '256x256'?"),
        ("resize:size=300", "/0/size", "size=300", "; did you mean '300x' or 'x300' or '300x300'?"),
    ],
)
def test_a_fault_is_placed_in_the_json_form_and_in_the_text(
    text: str, pointer: str, at: str, says: str, grammar: Grammar
) -> None:
    (fault,) = faults(grammar, text)
    assert fault.pointer == pointer
    assert fault.offset == (text.rindex(at) if at else len(text))
    assert says in fault.detail


def test_one_bare_side_is_no_size_but_a_hint(grammar: Grammar) -> None:
    with pytest.raises(InvalidOperation, match="did you mean '256x' or 'x256' or '256x256'"):
        grammar.load([{"op": "thumbnail", "size": 256}])
    for senseless in ("resize:0", "resize:99999", "resize:-5", "resize:large", "crop:²"):
        assert "did you mean" not in faults(grammar, senseless)[0].detail


def test_what_is_allowed_is_a_list_or_a_range(grammar: Grammar) -> None:
    def allowed(text: str) -> object:
        return faults(grammar, text)[0].allowed

    assert allowed("orient:left") == ("auto", "none")
    assert allowed("border:0") == "1 to 2000"
    assert allowed("blur:radius=3") == ("sigma",)
    assert "300x200" in str(allowed("crop:large"))
    assert "ff8800" in str(allowed("border:1,color=loud")) or "hex digits" in str(
        allowed("border:1,color=loud")
    )
    names = allowed("explode")
    assert isinstance(names, tuple)
    assert {"resize", "crop", "avif"} <= set(names)
    assert "test-crash" not in names


def test_all_faults_are_found_in_their_order(grammar: Grammar) -> None:
    found = faults(grammar, "blr/avif/blur:0/flip/orient:left/crop:1x1,foo=1,bar=2")
    assert [fault.pointer for fault in found] == [
        "/0",
        "/1",
        "/2/sigma",
        "/4/mode",
        "/4",
        "/5/foo",
        "/5/bar",
    ]


def test_the_message_is_the_first_fault_and_counts_the_rest(grammar: Grammar) -> None:
    with pytest.raises(InvalidOperation) as caught:
        grammar.parse("blr/blur:0/flop:1")
    assert str(caught.value) == "there is no operation 'blr'; did you mean 'blur'? (and 2 more faults)"


def test_given_text_is_repeated_short_and_printable(grammar: Grammar) -> None:
    (fault,) = faults(grammar, "x\n" * 4000)
    assert len(fault.detail) < 100
    assert "\n" not in fault.detail


@pytest.mark.parametrize(
    "text",
    [
        "a" * 1_000_000,
        "/" * 1_000_000,
        "flip/" * (MAX_LENGTH // 5),
        "blur:" + "," * 16_000,
        "blur:" + "sigma=1," * 2_000,
        "blur:" + "9" * 16_000,
        "blur:" + "~" * 16_000,
        "crop:" + "x" * 16_000,
        "flip\0",
        "flip\x1b[0m",
        "\ud800",
        "[" * 16_000,
        '[{"op":"blur","sigma":' + "[" * 16_000,
        "[" + "1," * 8_000 + "1]",
        "[" + '"' + "a" * 1_000_000 + '"]',
    ],
)
def test_hostile_text_is_refused_at_once(text: str, grammar: Grammar) -> None:
    start = time.process_time()
    found = faults(grammar, text)
    assert time.process_time() - start < 0.5
    assert 1 <= len(found) <= 20
    assert sum(len(fault.detail) for fault in found) < 10_000


def test_a_hostile_list_is_refused_at_once(grammar: Grammar) -> None:
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    for value in (nested, ["flip"] * 1_000_000, [{str(n): n for n in range(100_000)} | {"op": "blur"}]):
        start = time.process_time()
        with pytest.raises(InvalidOperation) as caught:
            grammar.load(value)
        assert time.process_time() - start < 1
        assert len(caught.value.problem.errors) <= 20
