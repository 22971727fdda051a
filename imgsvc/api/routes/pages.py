"""Pages for people: the docs, what a problem means, and where to start; nothing comes from elsewhere."""

from __future__ import annotations

import asyncio
import hashlib
import html
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from imgsvc import errors
from imgsvc.api import conditional, problems
from imgsvc.api.door import answer
from imgsvc.api.openapi import document, operation, parameter, plain
from imgsvc.errors import ERRORS, NotFound

router = APIRouter(tags=["System"])

_WEB = Path(__file__).parents[2] / "web"
_FILES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "start.js": "text/javascript",
    "page.css": "text/css",
    "LICENSE.txt": "text/plain",
    "NOTICE.txt": "text/plain",
    "swagger-ui-bundle.js.LICENSE.txt": "text/plain",
}
#: Only our own files; Swagger UI sets style attributes and draws its icons from data: addresses.
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "media-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="{root}docs/page.css">
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class _Asset:
    data: bytes
    etag: str


@cache
def _asset(name: str) -> _Asset:
    data = (_WEB / name).read_bytes()
    return _Asset(data, f'"{hashlib.sha256(data).hexdigest()[:32]}"')


async def _file(request: Request, name: str, media_type: str, policy: str = _PAGE_POLICY) -> Response:
    """A file of ours; the first look at it goes to the disk."""
    asset = await asyncio.to_thread(_asset, name)
    headers = {
        "ETag": asset.etag,
        "Cache-Control": "public, max-age=3600",
        "Content-Security-Policy": policy,
    }
    if conditional.unchanged(request.headers, asset.etag):
        return Response(None, 304, headers)
    return Response(asset.data, 200, headers, media_type=media_type)


@router.get("/", include_in_schema=False)
async def root(request: Request) -> Response:  # noqa: ARG001  # routes get it
    """Where people start."""
    return RedirectResponse("docs")


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> Response:
    """The API, to read and to try."""
    return await _file(request, "docs/index.html", "text/html", _DOCS_POLICY)


@router.get("/docs/{name}", include_in_schema=False)
async def docs_file(request: Request) -> Response:
    """What the pages are made of."""
    name: str = request.path_params["name"]
    if name not in _FILES:
        raise NotFound("there is no such page")
    return await _file(request, f"docs/{name}", _FILES[name])


@router.get("/favicon.ico", include_in_schema=False)
async def favicon(request: Request) -> Response:
    """The icon; browsers go by its type, not by its name."""
    return await _file(request, "favicon.svg", "image/svg+xml")


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> Response:
    """The API's description; it is the same as long as this server runs."""
    if not hasattr(request.app.state, "openapi"):
        request.app.state.openapi = orjson.dumps(request.app.openapi())
    body: bytes = request.app.state.openapi
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "public, max-age=60"}
    if conditional.unchanged(request.headers, etag):
        return Response(None, 304, headers)
    return Response(body, 200, headers, media_type="application/json")


@router.get("/problems", include_in_schema=False)
async def all_problems(request: Request) -> Response:
    """Every problem there is."""
    if _wants_json(request):
        return answer({"problems": [_meaning(code) for code in sorted(ERRORS)]})
    entries = "\n".join(
        f'<dt>{problems.status_of(code)} <a href="problems/{code}"><code>{code}</code></a></dt>'
        f"<dd>{html.escape(problems.title_of(code))}</dd>"
        for code in sorted(ERRORS, key=lambda code: (problems.status_of(code), code))
    )
    return _page("Problems", f"<dl>\n{entries}\n</dl>", root="")


@router.get(
    "/problems/{code}",
    **operation(
        "getProblem",
        "What does a problem mean?",
        {
            200: document(
                "Meaning",
                "What it means (HTML unless JSON is asked for).",
                {
                    "type": "/problems/empty-file",
                    "code": "empty-file",
                    "status": 400,
                    "title": "The file is empty",
                    "description": "The upload held no bytes at all.",
                },
            ),
            304: plain("Nothing has changed."),
        },
        parameters=[parameter("path", "code", "The problem's code.", example="empty-file")],
        errors=(errors.NotFound,),
    ),
)
async def one_problem(request: Request) -> Response:
    """The page that a problem's `type` leads to."""
    code: str = request.path_params["code"]
    if code not in ERRORS:
        raise NotFound("there is no such problem")
    meaning = _meaning(code)
    if _wants_json(request):
        return answer(meaning)
    text = "\n".join(f"<p>{_marked(part)}</p>" for part in str(meaning["description"]).split("\n\n") if part)
    facts = f"<p><code>{code}</code> · HTTP {meaning['status']}</p>"
    more = '<p><a href="../problems">All problems</a></p>'
    return _page(str(meaning["title"]), f"{facts}\n{text}\n{more}", root="../")


def _meaning(code: str) -> dict[str, object]:
    title, rest = problems.about(ERRORS[code])
    return {
        "type": f"/problems/{code}",
        "code": code,
        "status": problems.status_of(code),
        "title": title,
        "description": rest,
    }


def _page(title: str, body: str, root: str) -> Response:
    text = _PAGE.format(title=html.escape(title), body=body, root=root)
    headers = {"Content-Security-Policy": _PAGE_POLICY, "Cache-Control": "public, max-age=3600"}
    return Response(text, 200, headers, media_type="text/html")


def _marked(text: str) -> str:
    """Plain text with `code` in backquotes."""
    parts = html.escape(text).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))


def _wants_json(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    return "json" in accept and "html" not in accept
