"""The application: routes, the table of problems, and what stands before them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from imgsvc import errors, logs
from imgsvc.api import problems
from imgsvc.api.cors import Cors
from imgsvc.api.door import Door
from imgsvc.api.envelope import CLIENT_GONE, ClientGoneError, Counted, Envelope, refusal, unexpected
from imgsvc.api.gate import Gate
from imgsvc.api.openapi import describe
from imgsvc.api.options import ApiOptions
from imgsvc.api.routes import (
    batch_archive,
    batches,
    cache,
    images,
    info,
    jobs,
    operations,
    pages,
    presets,
    process,
    renders,
    results,
    system,
)
from imgsvc.errors import ImgsvcError
from imgsvc.metrics import Metrics
from imgsvc.pipeline import Grammar
from imgsvc.service import Service

OpenService = Callable[[], AbstractAsyncContextManager[Service]]

#: What the framework refuses by itself, as ours.
_FOREIGN: dict[int, type[ImgsvcError]] = {
    404: errors.NotFound,
    405: errors.MethodNotAllowed,
    408: errors.RequestTimeout,
    413: errors.BodyTooLarge,
    422: errors.InvalidParameter,
    431: errors.HeadersTooLarge,
}

#: Refusals that may come by the thousand when there is too much to do: each second's share one line.
_REJECTIONS = frozenset(
    error.code
    for error in (
        errors.QueueFull,
        errors.QueueTimeout,
        errors.Draining,
        errors.StorageBusy,
        errors.StorageUnavailable,
        errors.InsufficientStorage,
    )
)


class Api:
    """The ASGI application; its lifespan opens and closes the service."""

    def __init__(self, app: FastAPI, door: Door, counted: Counted) -> None:
        self.fastapi = app
        options = door.options
        gate = Gate(
            app,
            max_body=options.max_body,
            body_timeout=options.body_timeout,
            most={batches.PATH: options.batch_files * options.max_body},
        )
        #: Is told the code of every problem that is answered.
        self.counted = counted
        #: Is told how much was read of each body that was refused before its end.
        self.unread = door.metrics.refused_body if door.metrics is not None else _unnoticed
        inner = Cors(gate, options.cors_origins) if options.cors_origins else gate
        self._app = Envelope(inner, self.counted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI."""
        await self._app(scope, receive, send)


def _counting(metrics: Metrics | None, rejections: logs.Rejections) -> Counted:
    """Counts problems, and logs those that say how full the service is."""

    def counted(code: str) -> None:
        if metrics is not None:
            metrics.problem(code)
        if code in _REJECTIONS:
            rejections.count(code)

    return counted


def _unnoticed(_: int) -> None:
    """Nobody wants to know."""


def create_app(
    open_service: OpenService, options: ApiOptions | None = None, *, metrics: Metrics | None = None
) -> Api:
    """The API of a service that is opened when the application starts; `metrics` is what observes it."""
    options = options or ApiOptions()
    door = Door(options, metrics, Grammar(testing=options.testing, presets=options.presets))
    rejections = logs.Rejections()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with open_service() as service:
            door.service = service
            try:
                yield
            finally:
                door.service = None
                rejections.write()

    app = FastAPI(
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={
            ImgsvcError: _refused,
            HTTPException: _foreign,
            RequestValidationError: _invalid,
            ClientGoneError: _gone,
            Exception: _failed,
        },
    )
    app.state.door = door
    # The busiest first: routes are tried in order.
    for module in (
        renders,
        cache,
        jobs,
        results,
        process,
        batches,
        batch_archive,
        images,
        info,
        operations,
        presets,
        system,
        pages,
    ):
        # Flat: FastAPI 0.165 matches the routes of included routers twice.
        app.router.routes.extend(module.router.routes)
    describe(app, [options.public_url] if options.public_url else [], testing=options.testing)
    return Api(app, door, _counting(metrics, rejections))


async def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, ImgsvcError):
        raise error
    return refusal(request.scope, error)


async def _foreign(request: Request, error: Exception) -> Response:
    """What Starlette and FastAPI refuse: unknown paths, methods, broken bodies."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    ours = _FOREIGN.get(status, errors.MalformedRequest if status < 500 else errors.InternalError)
    if ours is errors.MethodNotAllowed:
        allowed = _methods(request)
        detail = f"{request.method} is not allowed here; allowed is {allowed}"
        return refusal(request.scope, ours(detail), allow=allowed)
    if ours is errors.NotFound:
        return await _refused(request, ours("there is nothing at this address"))
    return await _refused(request, ours(problems.title_of(ours.code)))


async def _invalid(request: Request, _: Exception) -> Response:
    return await _refused(request, errors.InvalidParameter("a parameter is not valid"))


async def _gone(_: Request, __: Exception) -> Response:
    return Response(None, CLIENT_GONE)


async def _failed(request: Request, _: Exception) -> Response:
    return await _refused(request, unexpected())


def _methods(request: Request) -> str:
    """What the path of a request allows, over all of its routes."""
    scope = {**request.scope, "method": ""}
    found: set[str] = set()
    for route in request.app.routes:
        if route.matches(scope)[0] is not Match.NONE and isinstance(route, Route):
            found |= route.methods or set()
    if "GET" in found:
        found.add("HEAD")
    return ", ".join(sorted(found))
