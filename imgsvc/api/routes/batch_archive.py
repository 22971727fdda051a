"""What all jobs of a batch came to, as one archive."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from imgsvc import errors
from imgsvc.api import archive, entry_names, names, parameters
from imgsvc.api.door import batch_id, service
from imgsvc.api.entry_names import Names
from imgsvc.api.envelope import called
from imgsvc.api.openapi import STORED, operation, parameter, pictures
from imgsvc.api.routes.shared import BATCH_ID, WAIT
from imgsvc.api.waiting import asked, while_connected
from imgsvc.batches import Batch
from imgsvc.service import Service

router = APIRouter(tags=["Batches"])

_NAMES = parameter(
    "query",
    "names",
    "A template for the entries' names without their extension: text with "
    + ", ".join(f"`{{{name}}}` ({text})" for name, text in entry_names.FIELDS.items())
    + f". A bare field name stands for itself in braces; without one it is `{entry_names.USUAL}`. Where a "
    "name is taken, all entries of the later job have `-2` behind theirs.",
)


@router.get(
    "/v1/batches/{id}/results.zip",
    **operation(
        "getBatchArchive",
        "Fetch all results of a batch",
        {200: pictures("All results, stored as they are.", ["application/zip"])},
        parameters=[BATCH_ID, WAIT, _NAMES],
        errors=(
            errors.NotFound,
            errors.ResultExpired,
            errors.JobNotFinished,
            errors.JobCanceled,
            errors.InvalidParameter,
            *STORED,
        ),
    ),
)
async def get_batch_archive(request: Request) -> Response:
    """Every result of the jobs that have succeeded, in the order in which they joined, as one ZIP file.

    It is made while it is sent. Of a canceled batch it holds what was made until then.
    """
    values = parameters.query(request.scope["query_string"])
    template = entry_names.template(values.get("names"))
    serving = service(request)
    wait = asked(request) or 0.0
    finding = serving.batches.ended(batch_id(request), wait=wait)
    batch = await while_connected(request, finding) if wait else await finding
    name = f"{names.clean(batch.name) or batch.id}.zip"
    if called(request.scope).head:
        response = Response(None, 200, archive.told(None, name), media_type="application/zip")
        del response.headers["content-length"]  # nobody knows it before the archive is made
        return response
    return archive.streamed(_entries(serving, batch, Names(template, batch.counts.total)), name)


async def _entries(serving: Service, batch: Batch, named: Names) -> AsyncIterator[archive.Entry]:
    async for place, job in serving.batches.results(batch):
        found = named.names(place, job, job.results)
        for name, result in zip(found, job.results, strict=True):
            yield archive.Entry(name, result.bytes, partial(serving.open_blob, result))
