"""How the API describes itself: OpenAPI 3.1, with every problem that a call can answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.responses import Response

from imgsvc import errors
from imgsvc.api import problems, schemas
from imgsvc.errors import ImgsvcError

Json = dict[str, Any]
Errors = Iterable[type[ImgsvcError]]

#: What any call may answer.
ALWAYS: tuple[type[ImgsvcError], ...] = (
    errors.MalformedRequest,
    errors.RequestTimeout,
    errors.HeadersTooLarge,
    errors.InternalError,
)
#: What any call that looks at the record may answer.
STORED: tuple[type[ImgsvcError], ...] = (errors.StorageBusy, errors.StorageUnavailable)
#: What any call that brings an image may answer.
UPLOAD: tuple[type[ImgsvcError], ...] = (
    errors.EmptyFile,
    errors.MalformedMultipart,
    errors.BodyTooLarge,
    errors.MissingFile,
    errors.TooManyFiles,
    errors.UnsupportedMediaType,
    errors.ImageCorrupt,
    errors.ImageTooManyPixels,
    errors.ImageDimensionTooLarge,
    errors.ImageTooManyFrames,
    errors.ImageTooComplex,
    errors.InvalidParameter,
    errors.QueueTimeout,
    errors.Draining,
    errors.InsufficientStorage,
)
#: What a call that takes an Idempotency-Key may answer because of it.
KEYED: tuple[type[ImgsvcError], ...] = (errors.IdempotencyKeyInUse, errors.IdempotencyKeyReused, *STORED)
BINARY: Json = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
TAGS = [
    {"name": "Process", "description": "Image in, image out, at once."},
    {"name": "Renders", "description": "Pictures on the fly, kept for whoever asks again."},
    {"name": "Jobs", "description": "Durable work: posted, waited for, fetched."},
    {"name": "Batches", "description": "Jobs that belong together: counted, fetched and removed as one."},
    {"name": "Images", "description": "Stored sources, addressed by content."},
    {"name": "Operations", "description": "The vocabulary of pipelines."},
    {"name": "System", "description": "The queue, the workers and the service itself."},
]
_ABOUT = """\
A pipeline says what is done, left to right: `resize:300x200,fit=cover/grayscale/webp:82`. The same words
work in a query, a form field and JSON; `GET /v1/operations` lists them all.

Parameters are percent-decoded once; in a query a `+` is a space, as forms and client libraries write it
(write `%2B` for a plus). Every answer carries `X-Request-ID`; everything that is not 2xx or 3xx is
`application/problem+json`.
"""


def operation(
    id: str,
    summary: str,
    answers: Mapping[int, Json],
    *,
    parameters: Iterable[Json] = (),
    body: Json | None = None,
    errors: Errors = (),
    keyed: bool = False,
) -> Json:
    """The keywords that describe a route to FastAPI; the handler's docstring is its description.

    `keyed`: it takes an Idempotency-Key, as every POST does.
    """
    if keyed:
        parameters, errors = (*parameters, _KEY), (*errors, *KEYED)
        answers = {status: told | _replayed(told) for status, told in answers.items()}
    extra: Json = {"parameters": list(parameters)}
    if body is not None:
        extra["requestBody"] = {"required": True, **body}
    first, *_ = answers
    return {
        "operation_id": id,
        "summary": summary,
        "response_class": Response,
        "status_code": first,
        "responses": {**answers, **refusals((*errors, *ALWAYS))},
        "openapi_extra": extra,
    }


def refusals(errors: Errors) -> dict[int, Json]:
    """The problems that a call may answer, by status."""
    by_status: dict[int, list[type[ImgsvcError]]] = {}
    for cls in dict.fromkeys(errors):
        by_status.setdefault(problems.STATUS[cls], []).append(cls)
    return {
        status: {
            "description": "; ".join(f"`{cls.code}`: {problems.about(cls)[0]}" for cls in found),
            "content": {
                problems.MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {cls.code: {"value": _example(cls)} for cls in found},
                }
            },
        }
        for status, found in sorted(by_status.items())
    }


def document(name: str, description: str, example: object, **headers: str) -> Json:
    """An answer that is one of our documents."""
    return {
        "description": description,
        "content": {
            "application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}, "example": example}
        },
        "headers": {name.replace("_", "-"): header(text) for name, text in headers.items()},
    }


def pictures(description: str, media_types: Iterable[str], **headers: str) -> Json:
    """An answer that is a file."""
    return {
        "description": description,
        "content": {media_type: {"schema": BINARY} for media_type in media_types},
        "headers": {name.replace("_", "-"): header(text) for name, text in headers.items()},
    }


def plain(description: str) -> Json:
    """An answer without a body."""
    return {"description": description}


def header(description: str) -> Json:
    """A header of an answer."""
    return {"description": description, "schema": {"type": "string"}}


def parameter(
    where: str, name: str, description: str, schema: Json | None = None, example: object = None
) -> Json:
    """A parameter of a call; those in a path are required."""
    shown: Json = {
        "name": name,
        "in": where,
        "description": description,
        "required": where == "path",
        "schema": schema or {"type": "string"},
    }
    return shown if example is None else {**shown, "example": example}


_KEY = parameter(
    "header",
    "Idempotency-Key",
    "The caller's own key, quoted or bare: the same request with the same key is done once, and answered "
    "as the first time when it comes again. Keys of requests that succeeded are kept for a day "
    "(`IMGSVC_IDEMPOTENCY_RETENTION`); no other request can have them.",
    {"type": "string", "minLength": 1, "maxLength": 257},
)


def _replayed(told: Json) -> Json:
    mark = header("`true` where a request was repeated and this is the answer that it got before.")
    return {"headers": told.get("headers", {}) | {"Idempotent-Replayed": mark}}


def describe(app: FastAPI, servers: Iterable[str], *, testing: bool = False) -> None:
    """Complete what FastAPI knows by our shapes, and keep the document."""
    app.title = "imgsvc"
    app.summary = "Images in, smaller images out: durable jobs, killable work, every operation timed."
    app.description = _ABOUT
    app.license_info = {"name": "MIT", "identifier": "MIT"}
    app.openapi_tags = list(TAGS)
    app.servers = [{"url": url} for url in servers]
    generate = app.openapi

    def openapi() -> Json:
        if app.openapi_schema is None:
            found = generate()
            found.setdefault("components", {})["schemas"] = schemas.components(testing=testing)
            _restore_examples(app, found)
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]  # the way that FastAPI documents


def _restore_examples(app: FastAPI, found: Json) -> None:
    """FastAPI drops every null, those in examples too."""
    for route in app.routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                answers = found["paths"][route.path_format][method.lower()]["responses"]
                for status, told in route.responses.items():
                    answers[str(status)] |= {key: told[key] for key in ("content",) if key in told}


def _example(cls: type[ImgsvcError]) -> Json:
    title = problems.about(cls)[0]
    return {
        "type": f"/problems/{cls.code}",
        "title": title,
        "status": problems.STATUS[cls],
        "detail": f"{title}.",
        "code": cls.code,
        "request_id": "req_01a2078f8902711898b1f94c2f219ecb",
    }
