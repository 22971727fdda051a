"""The queue, the workers and the service itself."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from imgsvc import errors
from imgsvc.api import keys, reports
from imgsvc.api.door import answer, door, service
from imgsvc.api.envelope import refusal
from imgsvc.api.openapi import STORED, document, operation

router = APIRouter(tags=["System"])


@router.get(
    "/v1/stats",
    **operation(
        "getStats",
        "The service in numbers",
        {200: document("Stats", "Numbers.", reports.STATS)},
        errors=STORED,
    ),
)
async def get_stats(request: Request) -> Response:
    """The queue, how long each operation takes (since the start of this server), and totals."""
    serving = service(request)
    return answer(reports.stats(await serving.status.stats(), serving.policy, door(request).metrics))


@router.get(
    "/v1/workers",
    **operation(
        "getWorkers",
        "The worker processes",
        {200: document("Workers", "Lanes and desk.", reports.WORKERS)},
    ),
)
async def get_workers(request: Request) -> Response:
    """Every lane with what it does, and the desk that reads headers."""
    return answer(reports.workers(service(request).status.workers()))


@router.post(
    "/v1/queue:pause",
    **operation(
        "pauseQueue",
        "Pause the queue",
        {200: document("Paused", "It is paused.", {"paused": True})},
        errors=STORED,
        keyed=True,
    ),
)
@keys.repeatable
async def pause_queue(request: Request) -> Response:
    """No queued job starts until the queue is resumed, over restarts; jobs are still taken."""
    await service(request).pause()
    return answer({"paused": True})


@router.post(
    "/v1/queue:resume",
    **operation(
        "resumeQueue",
        "Resume the queue",
        {200: document("Paused", "It is not paused.", {"paused": False})},
        errors=STORED,
        keyed=True,
    ),
)
@keys.repeatable
async def resume_queue(request: Request) -> Response:
    """Queued jobs start again."""
    await service(request).resume()
    return answer({"paused": False})


@router.get(
    "/livez",
    **operation("live", "Is it alive?", {200: document("Live", "It is.", {"status": "alive"})}),
)
async def live(request: Request) -> Response:  # noqa: ARG001  # routes get it
    """Says only that this process answers: it looks at neither disk nor database."""
    return answer({"status": "alive"})


@router.get(
    "/readyz",
    **operation(
        "ready",
        "Is it ready?",
        {
            200: document(
                "Ready",
                "Traffic may come.",
                {"status": "ready", "reasons": [], "degraded": ["the queue is full"]},
            )
        },
        errors=(errors.Draining, errors.QueueTimeout, errors.StorageUnavailable),
    ),
)
async def ready(request: Request) -> Response:
    """503 while starting or draining, without a worker or a database; a full queue or disk only degrades."""
    readiness = await service(request).status.readiness()
    shows = {"reasons": list(readiness.reasons), "degraded": list(readiness.degraded)}
    if readiness.ok:
        return answer({"status": "ready"} | shows)
    error = reports.unready(readiness)
    return refusal(request.scope, error, shows)


@router.get(
    "/version",
    **operation("version", "What runs here?", {200: document("Version", "Versions.", reports.VERSION)}),
)
async def version(request: Request) -> Response:  # noqa: ARG001  # routes get it
    """The service's version and those of what it stands on."""
    return answer(reports.VERSION)
