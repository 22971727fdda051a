"""The grammar as the explain call shows it: canonical text, JSON form, sizes and faults."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.acceptance.contract.client import Api, Document, document, fresh, problem


def explain(house: Api, ops: str, size: str | None = "4032x3024") -> Document:
    params = {"ops": ops} if size is None else {"ops": ops, "size": size}
    answer = house.get("/v1/operations:explain", params=params)
    assert answer.status_code == 200, answer.text
    return document(answer)


def fault(house: Api, ops: str) -> tuple[Document, Document]:
    found = problem(house.get("/v1/operations:explain", params={"ops": ops}), 422, "invalid-operation")
    assert found["errors"], found
    first: Document = found["errors"][0]
    assert isinstance(first["pointer"], str), first
    return found, first


@pytest.mark.parametrize(
    ("said", "canonical"),
    [
        ("resize:300x200", "resize:300x200"),
        ("resize:size=300x200", "resize:300x200"),
        ("resize:w=300,h=200", "resize:300x200"),
        ("resize:width=300", "resize:300x"),
        ("resize:h=200", "resize:x200"),
        ("resize:300x200,fit=inside", "resize:300x200"),
        ("resize:300x200,fit=contain,filter=lanczos,gravity=center", "resize:300x200"),
        ("resize:300x200,enlarge,fit=cover", "resize:300x200,fit=cover,enlarge"),
        ("resize:300x200,enlarge=true,gravity=ne,fit=cover", "resize:300x200,fit=cover,gravity=ne,enlarge"),
        ("resize:300x200,enlarge=false", "resize:300x200"),
        ("resize:1.0", "resize:1.0"),
        ("resize:0.5", "resize:0.5"),
        ("crop:0.5x0.5,x=0.1", "crop:0.5x0.5,x=0.1"),
        ("resize:9x9,fit=cover,gravity=0.3x0.7", "resize:9x9,fit=cover,gravity=0.3x0.7"),
        ("thumbnail", "thumbnail"),
        ("thumbnail:256x256", "thumbnail"),
        ("jpeg:q=85,progressive", "jpeg:85,progressive"),
        ("jpeg:80", "jpeg"),
        ("jpeg:quality=85,subsampling=420", "jpeg:85"),
        ("webp:82", "webp:82"),
        ("webp:effort=4,lossless", "webp:lossless=true,effort=4"),  # in the first place stands the quality
        ("webp:lossless", None),
        ("png:level=9", "png:9"),
        ("avif:speed=6,quality=40", "avif:40,speed=6"),
        ("grayscale/gif", "grayscale/gif"),
        ("blur:sigma=3", "blur:3"),
        ("blur:2", "blur"),
        ("rotate:90,expand", "rotate:90"),
        ("sharpen:amount=2,sigma=1.0", "sharpen:2"),
        ("orient:none/flip/flop", "orient:none/flip/flop"),
        ("resize:300x200~2Cfit=cover", None),
        ("resize:300x200%2Cfit=cover", None),
        ("", None),
        ("/", None),
        ("grayscale//flip", None),
        ("Grayscale", None),
        ("grayscale:", None),
        ("png/grayscale", None),
        ("grayscale/orient:none", None),
        ("resize:300x200,fit=cover,fit=fill", None),
        ("resize:300x200,size=10x10", None),
        ("resize:300x200,0.5", None),
        ("resize:0x10", None),
        ("resize:x", None),
        ("resize:-5x5", None),
        ("resize:1e3x5", None),
        ("resize", None),
        ("crop:10x10,x=1,y=1,gravity=n", None),
        ("blur:nan", None),
        ("blur:inf", None),
        ("jpeg:101", None),
        ("jpeg:0", None),
        ("background:notacolour", None),
        ("background:12345", None),
        ("rotate:361", None),
        ("test-crash:maybe", None),
    ],
)  # fmt: skip
def test_the_canonical_text(house: Api, said: str, canonical: str | None) -> None:
    if canonical is None:
        fault(house, said)
        return
    assert explain(house, said)["spec"] == canonical
    assert explain(house, canonical)["spec"] == canonical


@pytest.mark.parametrize(
    ("ops", "size"),
    [
        ("resize:300x200", [267, 200]),
        ("resize:300x", [300, 225]),
        ("resize:x300", [400, 300]),
        ("resize:0.5", [2016, 1512]),
        ("resize:8000x", [4032, 3024]),
        ("resize:8000x,enlarge", [8000, 6000]),
        ("resize:300x200,fit=cover", [300, 200]),
        ("resize:300x200,fit=fill", [300, 200]),
        ("resize:300x200,fit=pad", [300, 200]),
        ("resize:300x200,fit=outside", [300, 225]),
        ("resize:6000x6000,fit=cover", [3024, 3024]),
        ("resize:6000x6000,fit=pad", [6000, 6000]),
        ("thumbnail", [256, 192]),
        ("thumbnail:8000x8000", [4032, 3024]),
        ("resize:10000x1,enlarge", [1, 1]),
        ("crop:0.5x0.5", [2016, 1512]),
        ("crop:100x50", [100, 50]),
        ("rotate:90", [3024, 4032]),
        ("rotate:-90", [3024, 4032]),
        ("rotate:180", [4032, 3024]),
        ("border:10", [4052, 3044]),
        ("pad:5000x4000", [5000, 4000]),
        ("blur", [4032, 3024]),
    ],
)  # fmt: skip
def test_the_size_after_a_step(house: Api, ops: str, size: list[int]) -> None:
    (step,) = explain(house, ops)["steps"]
    assert (step["op"], step["in"], step["out"]) == (ops.partition(":")[0], [4032, 3024], size)


def test_steps_follow_each_other(house: Api) -> None:
    found = explain(house, "resize:300x200,fit=cover/rotate:90/border:5/webp:82")
    assert found["spec"] == "resize:300x200,fit=cover/rotate:90/border:5/webp:82"
    steps = [step for step in found["steps"] if step["op"] not in {"webp", "encode"}]
    assert [step["out"] for step in steps] == [[300, 200], [200, 300], [210, 310]]
    assert [step["in"] for step in steps[1:]] == [step["out"] for step in steps[:-1]]


def test_the_json_form_means_the_same(house: Api) -> None:
    text = "resize:300x200,fit=cover,background=ff0000/crop:0.5x0.5,x=0.1/blur:1.5/jpeg:85,progressive"
    found = explain(house, text)
    assert [operation["op"] for operation in found["operations"]] == ["resize", "crop", "blur", "jpeg"]
    assert explain(house, json.dumps(found["operations"]))["spec"] == found["spec"]
    assert explain(house, json.dumps(found["spec"].split("/")))["spec"] == found["spec"]


def test_without_a_size_there_are_no_steps_to_tell(house: Api) -> None:
    assert explain(house, "resize:300x200", None)["spec"] == "resize:300x200"


@pytest.mark.parametrize("size", ["", "big", "0x0", "-1x5", "300", "1x1x1", "99999999999999999999x1"])
def test_a_size_that_is_none_is_refused(house: Api, size: str) -> None:
    answer = house.get("/v1/operations:explain", params={"ops": "blur", "size": size})
    found = problem(answer, 422, "invalid-parameter")
    assert "size" in json.dumps(found)


def test_explaining_nothing_is_malformed(house: Api) -> None:
    problem(house.get("/v1/operations:explain"), 400, "malformed-request")


def test_an_unknown_operation_brings_the_nearest_names(house: Api) -> None:
    _, first = fault(house, "grayscale/rezise:10x10/png")
    assert first["pointer"] == "/1" or first["pointer"].startswith("/1/")
    assert first["offset"] == len("grayscale/")
    assert "resize" in json.dumps(first)
    assert first["allowed"]


def test_an_unknown_key_brings_the_nearest_names(house: Api) -> None:
    _, first = fault(house, "resize:10x10,fitt=cover")
    assert first["pointer"] == "/0/fitt"
    assert first["offset"] == len("resize:10x10,")
    assert "fit" in json.dumps(first["allowed"])


def test_a_bad_choice_lists_what_there_is(house: Api) -> None:
    _, first = fault(house, "flip/resize:10x10,fit=covr")
    assert first["pointer"] == "/1/fit"
    assert len("flip/resize:10x10,") <= first["offset"] <= len("flip/resize:10x10,fit=")
    for choice in ("contain", "cover", "pad", "fill", "outside"):
        assert choice in json.dumps(first["allowed"])
    assert "covr" not in json.dumps(first["allowed"])


@pytest.mark.parametrize(
    ("ops", "pointer", "bounds"),
    [
        ("blur:101", "/0/sigma", ("0.3", "100")),
        ("jpeg:500", "/0/quality", ("1", "100")),
        ("border:3000", "/0/width", ("1", "2000")),
        ("rotate:999", "/0/degrees", ("-360", "360")),
        ("brightness:-1", "/0/factor", ("0", "10")),
        ("gamma:0.01", "/0/value", ("0.1", "10")),
        ("pixelate:1", "/0/block", ("2", "1000")),
    ],
)
def test_a_value_out_of_bounds_names_them(
    house: Api, ops: str, pointer: str, bounds: tuple[str, str]
) -> None:
    _, first = fault(house, ops)
    assert first["pointer"] == pointer
    allowed = json.dumps(first["allowed"])
    assert all(bound in allowed for bound in bounds), allowed
    for edge in bounds:
        name = ops.partition(":")[0]
        explain(house, f"{name}:{edge}")


def test_json_faults_have_pointers(house: Api) -> None:
    value: list[dict[str, Any]] = [{"op": "grayscale"}, {"op": "resize", "size": "9x9", "fit": "oops"}]
    _, first = fault(house, json.dumps(value))
    assert first["pointer"] == "/1/fit"
    for broken in ('[{"size":"9x9"}]', "[7]", "[[]]", "[{}]", '[{"op":7}]', '[{"op":"nope"}]', '["nope"]'):
        _, first = fault(house, broken)
        assert first["pointer"].startswith("/0")
    answer = house.get("/v1/operations:explain", params={"ops": '[{"op":"resize"'})
    assert answer.status_code in {400, 422}
    problem(answer, answer.status_code, "malformed-request", "invalid-operation")


def test_every_fault_is_told_at_once(house: Api) -> None:
    found, _ = fault(house, "blur:1000/nope/jpeg:0")
    assert [re.match(r"/\d+", each["pointer"])[0] for each in found["errors"]] == ["/0", "/1", "/2"]  # type: ignore[index]  # it matches


def test_twenty_operations_are_enough(house: Api) -> None:
    assert explain(house, "/".join(["flip"] * 20))["spec"].count("flip") == 20
    fault(house, "/".join(["flip"] * 21))


def test_the_transport_is_decoded_once(house: Api) -> None:
    path = "/v1/operations:explain?ops="
    assert (
        house.get(path + "resize%3A30x20%2Cfit%3Dcover%2Fflip").json()["spec"]
        == "resize:30x20,fit=cover/flip"
    )
    problem(house.get(path + "resize%253A30x20"), 422, "invalid-operation")
    problem(house.get(path + "%FF%FE"), 400, "malformed-request")


def test_a_pipeline_of_text_is_short(house: Api) -> None:
    answer = house.get("/v1/operations:explain", params={"ops": "flip/" * 5000 + "flip"})
    assert answer.status_code in {422, 431}
    problem(answer, answer.status_code, "invalid-operation", "headers-too-large")


def test_the_fault_in_one_of_several_outputs_is_named(house: Api) -> None:
    answer = house.raw(fresh(), outputs=json.dumps({"good": "flip", "bad": "blur:1000"}))
    found = problem(answer, 422, "invalid-operation")
    assert "bad" in json.dumps(found["errors"])
    assert "good" not in json.dumps(found["errors"])


def test_test_operations_exist_only_where_they_were_asked_for(narrow: Api) -> None:
    for name in ("test-sleep:1", "test-spin:1", "test-crash:segv", "test-memory:1", "test-bug"):
        fault(narrow, name)
    assert "test-" not in narrow.get("/v1/operations").text


@pytest.mark.parametrize("ops", ["preset:nope", "auto"])
def test_what_has_no_meaning_here_is_refused(house: Api, ops: str) -> None:
    problem(house.raw(fresh(), ops=ops), 422, "invalid-operation")
