"""What `GET /v1/operations` shows."""

from __future__ import annotations

import json

from imgsvc import formats, operations
from imgsvc.pipeline import Grammar, describe


def test_every_operation_and_format_is_described_with_schema_and_example(grammar: Grammar) -> None:
    told = describe()
    assert [entry["name"] for entry in told["operations"]] == list(operations.registry())
    assert [entry["name"] for entry in told["formats"]] == [*formats.registry(), "auto"]
    for entry in told["operations"] + told["formats"]:
        assert entry["description"]
        assert entry["schema"]["properties"]["op"] == {"const": entry["name"]}
        assert "op" in entry["schema"]["required"]
        assert entry["schema"]["additionalProperties"] is False
        assert grammar.load(entry["example"]).json()[0]["op"] == entry["name"]


def test_the_other_names_of_a_format_are_shown(grammar: Grammar) -> None:
    aliases = {entry["name"]: entry["aliases"] for entry in describe()["formats"]}
    assert aliases["jpeg"] == ["jpg"]
    assert aliases["png"] == []
    assert grammar.load([{"op": "jpg", "quality": 85}]).json() == [{"op": "jpeg", "quality": 85}]


def test_what_is_no_format_of_its_own_has_no_media_type() -> None:
    shown = {entry["name"] for entry in describe()["formats"] if "media_type" in entry}
    assert shown == set(formats.registry())


def test_the_description_is_json() -> None:
    told = describe()
    assert json.loads(json.dumps(told)) == told


def test_operations_for_outside_tests_are_shown_only_where_they_exist() -> None:
    hidden = {entry["name"] for entry in describe()["operations"]}
    shown = {entry["name"] for entry in describe(testing=True)["operations"]}
    assert shown - hidden == {"test-bug", "test-crash", "test-memory", "test-sleep", "test-spin"}


def test_bounds_and_words_are_in_the_schema() -> None:
    schemas = {entry["name"]: entry["schema"] for entry in describe()["operations"]}
    assert schemas["blur"]["properties"]["sigma"]["minimum"] == 0.3
    assert schemas["blur"]["properties"]["sigma"]["maximum"] == 100
    assert schemas["orient"]["properties"]["mode"]["enum"] == ["auto", "none"]
    assert schemas["border"]["x-positional"] == ["width", "color"]
