"""What jobs came to: the bytes, one by one or as an archive."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from imgsvc import errors, formats
from imgsvc.api import archive, documents, names, parameters, signatures
from imgsvc.api.delivery import File, deliver
from imgsvc.api.door import job_id, service
from imgsvc.api.envelope import called
from imgsvc.api.openapi import STORED, operation, parameter, pictures, plain
from imgsvc.api.parameters import Reader
from imgsvc.api.routes.shared import DOWNLOAD, IF_NONE_MATCH, JOB_ID, RANGE, WAIT, media_types
from imgsvc.api.waiting import MAX_WAIT, while_connected
from imgsvc.jobs import Job, Result

router = APIRouter(tags=["Jobs"])

_EXTENSIONS = {found.media_type: found.extension for found in formats.registry().values()}
_ERRORS: tuple[type[errors.ImgsvcError], ...] = (
    errors.NotFound,
    errors.ResultExpired,
    errors.JobNotFinished,
    errors.JobCanceled,
    errors.InvalidParameter,
    errors.RangeNotSatisfiable,
    errors.SignatureInvalid,
    errors.SignatureExpired,
    # What the job failed with.
    errors.ImageCorrupt,
    errors.ImageTooComplex,
    errors.ImageTooLargeForMemory,
    errors.OutputTooLarge,
    errors.ProcessingTimeout,
    errors.WorkerCrashed,
    *STORED,
)
_ANSWERS = {
    200: pictures(
        "The result.",
        media_types(),
        ETag="Its sha256.",
        Repr_Digest="Its sha256, in base64.",
        Server_Timing="What took how long.",
        Cache_Control="Private, until it expires.",
    ),
    206: pictures("A part of it.", media_types(), Content_Range="Which part."),
    304: plain("The caller has it."),
}
_NAME = parameter("path", "name", "The output's name.", example="default")


@router.get(
    "/v1/jobs/{id}/result",
    **operation(
        "getResult",
        "Fetch the result",
        _ANSWERS,
        parameters=[JOB_ID, WAIT, DOWNLOAD, IF_NONE_MATCH, RANGE, *signatures.DESCRIBED],
        errors=_ERRORS,
    ),
)
async def get_result(request: Request) -> Response:
    """The result of a job with one output; a failed job answers with its problem and the status of that."""
    return await _result(request, None, "result")


@router.get(
    "/v1/jobs/{id}/results/{name}",
    **operation(
        "getNamedResult",
        "Fetch one of several results",
        _ANSWERS,
        parameters=[JOB_ID, _NAME, WAIT, DOWNLOAD, IF_NONE_MATCH, RANGE, *signatures.DESCRIBED],
        errors=_ERRORS,
    ),
)
async def get_named_result(request: Request) -> Response:
    """One result of a job, by its output's name."""
    name = request.path_params["name"]
    return await _result(request, name, f"results/{name}")


@router.get(
    "/v1/jobs/{id}/results.zip",
    **operation(
        "getResultsArchive",
        "Fetch all results",
        {200: pictures("All results, stored as they are.", ["application/zip"])},
        parameters=[JOB_ID, WAIT, *signatures.DESCRIBED],
        errors=_ERRORS,
    ),
)
async def get_results_archive(request: Request) -> Response:
    """All results of a job as a ZIP file, in the order of its outputs."""
    serving, wanted, (wait, _, _) = service(request), job_id(request), _asked(request, "results.zip")
    finding = serving.wait(wanted, wait)
    job = await while_connected(request, finding) if wait else await finding
    results = serving.results_of(job)
    entries = [
        archive.Entry(_name(job, result), result.bytes, partial(serving.open_blob, result))
        for result in results
    ]
    stem = names.stem(job.filename) if job.filename else job.id
    name = f"{stem}.zip"
    if called(request.scope).head:
        return Response(None, 200, archive.told(entries, name), media_type="application/zip")
    return await archive.answer(entries, name)


async def _result(request: Request, name: str | None, what: str) -> Response:
    serving, wanted = service(request), job_id(request)
    wait, download, until = _asked(request, what)
    finding = serving.result(wanted, name, wait=wait)
    job, result = await while_connected(request, finding) if wait else await finding
    file = File(
        size=result.bytes,
        sha256=result.sha256,
        content_type=result.content_type,
        disposition=names.disposition("attachment" if download else "inline", _name(job, result)),
        expires_at=signatures.sooner(job.expires_at, until),
        server_timing=documents.timing_of(job, result.name),
    )
    return await deliver(request, file, partial(serving.open_blob, result))


def _asked(request: Request, what: str) -> tuple[float, bool, int | None]:
    """`?wait=`, `?download=` and the end of a signature; what else there is may be a cache's or a page's own
    business.
    """
    values = parameters.query(request.scope["query_string"])
    until = signatures.of_result(request, values, f"/v1/jobs/{job_id(request)}/{what}")
    known = ("wait", "download")
    reader = Reader({name: value for name, value in values.items() if name in known}, known)
    wait, download = reader.seconds("wait", 0, MAX_WAIT), reader.flag("download")
    reader.done()
    return wait or 0.0, download, until


def _name(job: Job, result: Result) -> str:
    extension = _EXTENSIONS.get(result.content_type, "bin")
    return names.result_name(job.filename, job.id, result.name if len(job.outputs) > 1 else None, extension)
