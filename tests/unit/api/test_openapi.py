from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from imgsvc import formats
from imgsvc.api import Api, ApiOptions, create_app, examples, problems, reports, schemas
from imgsvc.errors import ERRORS
from imgsvc.service import Service

METHODS = {"get", "post", "delete"}
#: Pages for people, and the description itself.
UNLISTED = {"/", "/docs", "/docs/{name}", "/favicon.ico", "/openapi.json", "/problems", "/r/{image}"}


@cache
def app() -> Api:
    """An application that is never opened."""

    def never() -> AbstractAsyncContextManager[Service]:
        raise NotImplementedError

    return create_app(never, ApiOptions(public_url="https://images.example"))


@cache
def document() -> dict[str, Any]:
    return app().fastapi.openapi()


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


ALL = [pytest.param(path, method, found, id=f"{method} {path}") for path, method, found in operations()]


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema["$ref"].removeprefix("#/components/schemas/")
    found: dict[str, Any] = document()["components"]["schemas"][name]
    return found


def test_it_is_openapi_3_1_with_a_license_and_a_server() -> None:
    assert document()["openapi"].startswith("3.1")
    assert document()["info"]["license"]["identifier"] == "MIT"
    assert document()["servers"] == [{"url": "https://images.example"}]


def test_every_route_is_described() -> None:
    described = {(path, method) for path, method, _ in operations()}
    routes = {
        (route.path_format, method.lower())
        for route in app().fastapi.routes
        if isinstance(route, APIRoute) and route.path not in UNLISTED
        for method in route.methods or ()
    }
    assert described == routes


def test_operation_ids_are_unique_verbs() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", name) for name in ids)


@pytest.mark.parametrize(("path", "method", "operation"), ALL)
def test_every_call_is_explained(path: str, method: str, operation: dict[str, Any]) -> None:
    assert method in METHODS
    assert operation["summary"]
    assert operation["description"]
    (tag,) = operation["tags"]
    assert tag in {tag["name"] for tag in document()["tags"]}
    named = {found["name"] for found in operation.get("parameters", ()) if found["in"] == "path"}
    assert named == set(re.findall(r"{(\w+)}", path))
    for parameter in operation.get("parameters", ()):
        assert parameter["description"]
        assert parameter["schema"]


@pytest.mark.parametrize(("path", "method", "operation"), ALL)
def test_every_answer_is_declared(path: str, method: str, operation: dict[str, Any]) -> None:
    for status, answer in operation["responses"].items():
        assert answer["description"], status
        if int(status) in {204, 304}:
            assert "content" not in answer
            continue
        for media_type, content in answer["content"].items():
            if int(status) >= 400:
                assert media_type == "application/problem+json"
                assert resolved(content["schema"])["title"] == "Problem"
                assert content["examples"]
                for code, example in content["examples"].items():
                    assert problems.status_of(code) == int(status)
                    schemas.ProblemShape.model_validate(example["value"])
            elif media_type == "application/json":
                name = content["schema"]["$ref"].rpartition("/")[2]
                schemas.SHAPES[name].model_validate(content["example"])
            else:
                assert content["schema"]["format"] == "binary"
    refused = {code for answer in operation["responses"].values() for code in _codes(answer)}
    assert {"internal-error", "malformed-request", "headers-too-large", "request-timeout"} <= refused
    if method == "get":
        assert "body-too-large" not in refused


def _codes(answer: dict[str, Any]) -> set[str]:
    return {code for content in answer.get("content", {}).values() for code in content.get("examples", ())}


def test_every_problem_but_the_frameworks_is_declared_somewhere() -> None:
    declared = {
        code
        for _, _, operation in operations()
        for answer in operation["responses"].values()
        for code in _codes(answer)
    }
    assert set(ERRORS) - declared == {"method-not-allowed"}


def test_files_come_raw_or_in_a_form_and_go_out_by_their_media_type() -> None:
    media_types = {found.media_type for found in formats.registry().values()}
    paths = document()["paths"]
    for path in ("/v1/jobs", "/v1/process", "/v1/images"):
        content = paths[path]["post"]["requestBody"]["content"]
        assert media_types | {"multipart/form-data", "application/octet-stream"} <= set(content)
        assert content["multipart/form-data"]["schema"]["properties"]["file"]["format"] == "binary"
    assert "application/json" in paths["/v1/jobs"]["post"]["requestBody"]["content"]
    assert set(paths["/v1/process"]["post"]["responses"]["200"]["content"]) == media_types
    assert set(paths["/v1/jobs/{id}/result"]["get"]["responses"]["206"]["content"]) == media_types


def test_a_pipeline_is_described_with_ways_to_say_it() -> None:
    paths = document()["paths"]
    for path in ("/v1/jobs", "/v1/process"):
        (ops,) = [found for found in paths[path]["post"]["parameters"] if found["name"] == "ops"]
        for way in examples.PIPELINES.values():
            assert f"`{way['value']}`" in ops["description"]
    (ops,) = [
        found for found in paths["/v1/operations:explain"]["get"]["parameters"] if found["name"] == "ops"
    ]
    assert set(ops["examples"]) == set(examples.PIPELINES)


def test_what_a_page_fills_in_by_itself_harms_no_submission() -> None:
    """Swagger's page sends the examples of parameters and fields, also of those that nobody looked at."""
    for path in ("/v1/jobs", "/v1/process"):
        call = document()["paths"][path]["post"]
        for found in call["parameters"]:
            assert "example" not in found or found["in"] == "header", found["name"]
            assert "examples" not in found, found["name"]
        fields = call["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
        sent = {name: field["examples"][0] for name, field in fields.items() if name != "file"}
        assert sent.pop("ops") == examples.OPS
        assert set(sent.values()) <= {""}


@pytest.mark.parametrize(("path", "method", "operation"), ALL)
def test_every_post_takes_an_idempotency_key_and_says_so(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    (route,) = [
        route
        for route in app().fastapi.routes
        if isinstance(route, APIRoute)
        and route.path_format == path
        and method.upper() in (route.methods or ())
    ]
    named = {found["name"]: found for found in operation.get("parameters", ())}
    answers = operation["responses"].items()
    refused = {code for _, answer in answers for code in _codes(answer)}
    keyed = {"idempotency-key-in-use", "idempotency-key-reused"}
    marked = {status for status, answer in answers if "Idempotent-Replayed" in answer.get("headers", {})}
    assert hasattr(route.endpoint, "__wrapped__") == (method == "post")
    if method != "post":
        assert "Idempotency-Key" not in named
        assert not keyed & refused
        assert not marked
        return
    # Pages send examples, and two readers with one key would be in each other's way.
    assert "example" not in named["Idempotency-Key"]
    assert keyed <= refused
    assert marked == {status for status, _ in answers if status < "300"}


def test_no_reference_leads_nowhere() -> None:
    names = set(document()["components"]["schemas"])
    found = set(re.findall(r"'#/components/schemas/(\w+)'", str(document())))
    assert found <= names
    assert "HTTPValidationError" not in names


def test_the_examples_are_true() -> None:
    schemas.JobShape.model_validate(examples.JOB)
    schemas.JobShape.model_validate(examples.QUEUED)
    schemas.ImageShape.model_validate(examples.IMAGE)
    schemas.ExplainedShape.model_validate(examples.EXPLAINED)
    schemas.StatsShape.model_validate(reports.STATS)
    schemas.WorkersShape.model_validate(reports.WORKERS)


def test_the_vendored_files_are_what_the_readme_says() -> None:
    web = Path(problems.__file__).parents[1] / "web"
    listed = re.findall(r"^([0-9a-f]{64})  (\S+)$", (web / "README.md").read_text(), re.MULTILINE)
    assert len(listed) == 2
    for digest, name in listed:
        assert hashlib.sha256((web / name).read_bytes()).hexdigest() == digest


def test_the_pages_name_no_other_host() -> None:
    web = Path(problems.__file__).parents[1] / "web"
    for name in ("docs/index.html", "docs/start.js", "docs/page.css"):
        assert "//" not in (web / name).read_text().replace("// Everything", "")
