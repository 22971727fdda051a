"""The description of the service is true, complete and needs no network."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.contract.client import Api, Document

CALLS = {
    *(("post", "/v1/jobs"), ("get", "/v1/jobs"), ("get", "/v1/jobs/{}"), ("delete", "/v1/jobs/{}")),
    *(("post", "/v1/jobs/{}/cancel"), ("post", "/v1/jobs:cancel"), ("post", "/v1/jobs/{}/retry")),
    *(("get", "/v1/jobs/{}/result"), ("get", "/v1/jobs/{}/results/{}"), ("get", "/v1/jobs/{}/results.zip")),
    *(("post", "/v1/images"), ("get", "/v1/images"), ("get", "/v1/images/{}"), ("delete", "/v1/images/{}")),
    *(
        ("get", "/v1/images/{}/info"),
        ("get", "/v1/images/{}/content"),
        ("post", "/v1/process"),
        ("get", "/v1/operations"),
    ),
    *(("get", "/v1/operations:explain"), ("get", "/v1/stats"), ("get", "/v1/workers")),
    *(("post", "/v1/queue:pause"), ("post", "/v1/queue:resume"), ("get", "/livez"), ("get", "/readyz")),
    *(("get", "/version"), ("get", "/problems/{}")),
}


@pytest.fixture(scope="module")
def api(house: Api) -> Document:
    found = house.get("/openapi.json").json()
    assert isinstance(found, dict)
    return found


def operations(api: Document) -> Iterator[tuple[str, str, Document]]:
    for path, item in api["paths"].items():
        for method in ("get", "head", "post", "put", "patch", "delete"):
            if method in item:
                yield method, path, item[method]


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            if key == "$ref":
                yield each
            else:
                yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def test_it_is_openapi_three_one(api: Document) -> None:
    assert api["openapi"].startswith("3.1")
    assert {"title", "version"} <= set(api["info"])


def test_every_reference_leads_somewhere(api: Document) -> None:
    for reference in set(references(api)):
        assert reference.startswith("#/")
        found: Any = api
        for part in reference[2:].split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]


def test_every_call_of_the_contract_is_there(api: Document) -> None:
    there = {(method, re.sub(r"\{[^}]*\}", "{}", path)) for method, path, _ in operations(api)}
    assert there >= CALLS, CALLS - there


def test_operations_have_ids_summaries_tags_and_problems(api: Document) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(api)]
    assert len(ids) == len(set(ids))
    for method, path, operation in operations(api):
        assert re.fullmatch(r"[a-z][A-Za-z0-9]+", operation["operationId"]), path
        assert operation["summary"], path
        assert operation["tags"], path
        assert any(status.startswith("2") for status in operation["responses"]), path
        problems = [each for status, each in operation["responses"].items() if status[0] in "45d"]
        if path.startswith("/v1"):
            assert problems, (method, path)
        for each in problems:
            while "$ref" in each:
                each = api["components"]["responses"][each["$ref"].rpartition("/")[2]]  # noqa: PLW2901  # followed
            assert set(each["content"]) == {"application/problem+json"}, path


def test_parameters_in_paths_are_described(api: Document) -> None:
    for _, path, operation in operations(api):
        named = {each["name"] for each in operation.get("parameters", []) if each.get("in") == "path"}
        assert named == set(re.findall(r"\{([^}]*)\}", path)), path


def test_nothing_of_the_frameworks_own_is_left(api: Document) -> None:
    assert not {"HTTPValidationError", "ValidationError"} & set(api["components"]["schemas"])


def test_bodies_and_answers_have_examples(api: Document) -> None:
    text = json.dumps(api)
    assert text.count('"example') > 10
    for method, path, operation in operations(api):
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            if kind in {"application/json", "multipart/form-data"}:
                assert {"example", "examples"} & set(content) or "example" in json.dumps(content), (
                    method,
                    path,
                )


def test_every_operation_is_described(api: Document, house: Api) -> None:
    text = json.dumps(api)
    listed = house.get("/v1/operations").json()
    for entry in listed["operations"] + listed["formats"]:
        if not entry["name"].startswith("test-"):
            assert entry["name"] in text, entry["name"]


def test_the_docs_need_no_network(house: Api) -> None:
    page = house.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "content-security-policy" in page.headers
    seen = set()
    for address in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert not re.match(r"(https?:)?//", address), address
        if address.startswith(("data:", "#")):
            continue
        asset = house.get(address if address.startswith("/") else f"/{address}")
        assert asset.status_code == 200, address
        seen.add(asset.headers["content-type"].partition(";")[0])
    assert any("javascript" in kind for kind in seen)
    assert not re.search(r"(cdn|unpkg|jsdelivr|googleapis)", page.text)


def test_problem_pages_need_no_network(house: Api) -> None:
    page = house.get("/problems/not-found", headers={"Accept": "text/html"})
    assert not re.search(r'(?:src|href)="(https?:)?//', page.text)
