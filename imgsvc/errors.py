"""What may go wrong, drawn as a tree; it knows no HTTP.

ImgsvcError
├── RequestRefused              the request itself is at fault
│   ├── EmptyFile · MalformedMultipart · MalformedRequest
│   ├── MissingFile · TooManyFiles
│   ├── InvalidOperation · InvalidParameter
│   ├── BodyTooLarge · HeadersTooLarge · RequestTimeout
│   ├── IdempotencyKeyReused
│   ├── SignatureInvalid · SignatureExpired
│   └── RangeNotSatisfiable · MethodNotAllowed
├── ImageRefused                the image is at fault
│   ├── UnsupportedMediaType · ImageCorrupt
│   ├── ImageTooManyPixels · ImageDimensionTooLarge · ImageTooManyFrames · ImageTooComplex
│   └── ImageTooLargeForMemory · OutputTooLarge
├── TaskFailed                  the work was ended from outside
│   └── ProcessingTimeout · WorkerCrashed
├── StateRefused                the thing is not in the right state
│   ├── NotFound · ResultExpired
│   └── JobNotFinished · JobCanceled · ImageInUse · IdempotencyKeyInUse
├── Unavailable                 us, not you: come back later
│   ├── QueueFull · QueueTimeout · Draining
│   └── StorageBusy · StorageUnavailable · InsufficientStorage
└── InternalError               a bug of ours

A class's docstring is what `/problems/{code}` tells a reader: its first line is the title.
An error crosses a process border as a :class:`Problem`, never as an exception.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Fault(BaseModel):
    """One thing that is wrong with a request, and what would be right.

    `pointer` is a JSON pointer into the JSON form of what was sent, `offset` counts characters
    into its text form (after percent-decoding); either is None where it has no meaning.
    """

    model_config = ConfigDict(frozen=True)

    detail: str
    pointer: str | None = None
    offset: int | None = None
    allowed: tuple[str | int | float, ...] | str | None = None


class Problem(BaseModel):
    """An error as a plain value: what reports, jobs and answers carry."""

    model_config = ConfigDict(frozen=True)

    code: str
    detail: str
    output: str | None = None
    errors: tuple[Fault, ...] = ()
    limit: int | float | None = None
    actual: int | float | None = None
    supported: tuple[str, ...] = ()


class ImgsvcError(Exception):
    """Something went wrong; `str(error)` is fit for the caller's eyes."""

    code: ClassVar[str]

    def __init__(
        self,
        detail: str,
        *,
        errors: tuple[Fault, ...] = (),
        limit: float | None = None,
        actual: float | None = None,
        supported: tuple[str, ...] = (),
        output: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.problem = Problem(
            code=self.code,
            detail=detail,
            output=output,
            errors=errors,
            limit=limit,
            actual=actual,
            supported=supported,
        )
        #: Seconds after which the caller may try again; None where trying again is pointless.
        self.retry_after = retry_after


class RequestRefused(ImgsvcError):
    """The request itself is at fault."""


class EmptyFile(RequestRefused):
    """The file is empty.

    The upload held no bytes at all. Often a shell variable or a path that did not expand.
    """

    code = "empty-file"


class MalformedMultipart(RequestRefused):
    """The multipart body is malformed.

    The boundary is missing, a part is broken off, or there are more parts or longer fields
    than the service reads.
    """

    code = "malformed-multipart"


class MalformedRequest(RequestRefused):
    """The request is malformed.

    Its syntax is broken, or it says two things that exclude each other, such as both `ops`
    and `outputs`.
    """

    code = "malformed-request"


class MissingFile(RequestRefused):
    """No image was sent.

    A multipart request needs one part named `file`.
    """

    code = "missing-file"


class TooManyFiles(RequestRefused):
    """More files were sent than are taken.

    That is one, or for a form that makes a batch `IMGSVC_BATCH_FILES`; more may join an open batch.
    """

    code = "too-many-files"


class InvalidOperation(RequestRefused):
    """An operation is not valid.

    Its name or a parameter is unknown, or a value is out of bounds. `errors` points at each
    fault and says what is allowed.
    """

    code = "invalid-operation"


class InvalidParameter(RequestRefused):
    """A parameter of the request is not valid.

    `errors` names it and says what is allowed.
    """

    code = "invalid-parameter"


class BodyTooLarge(RequestRefused):
    """The body is larger than the service takes.

    Reading stopped at the limit (`IMGSVC_MAX_BODY`, bytes per image).
    """

    code = "body-too-large"


class HeadersTooLarge(RequestRefused):
    """The request's headers are larger than the service takes."""

    code = "headers-too-large"


class RequestTimeout(RequestRefused):
    """The request came too slowly.

    Its headers did not arrive in time, or its body stopped arriving.
    """

    code = "request-timeout"


class IdempotencyKeyReused(RequestRefused):
    """The Idempotency-Key was used for another request.

    A key stands for one request: its path, its parameters and its image. Repeat that request as it was,
    or give this one a key of its own. A key is free again after `IMGSVC_IDEMPOTENCY_RETENTION`.
    """

    code = "idempotency-key-reused"


class SignatureInvalid(RequestRefused):
    """The link is not signed, or its signature is not valid.

    With `IMGSVC_SIGNING_KEYS` a render needs `sig` and `kid`, and `exp` where it was signed with one; with
    `IMGSVC_SIGNED_RESULTS` a result needs them too. `imgsvc sign` makes them. A signature holds for one
    path and one expiry.
    """

    code = "signature-invalid"


class SignatureExpired(RequestRefused):
    """The signed link has expired.

    Its time (`exp`) is over; whoever gave it can give a new one.
    """

    code = "signature-expired"


class RangeNotSatisfiable(RequestRefused):
    """The requested range lies outside the file."""

    code = "range-not-satisfiable"


class MethodNotAllowed(RequestRefused):
    """The method is not allowed for this resource."""

    code = "method-not-allowed"


class ImageRefused(ImgsvcError):
    """The image is at fault."""


class UnsupportedMediaType(ImageRefused):
    """The file is not an image of a supported format.

    The content decides, never the name or a header. `supported` lists what is taken.
    """

    code = "unsupported-media-type"


class ImageCorrupt(ImageRefused):
    """The image is damaged and can't be decoded."""

    code = "image-corrupt"


class ImageTooManyPixels(ImageRefused):
    """The image has more pixels than the service decodes.

    Counted as width x height x frames (`IMGSVC_MAX_PIXELS`).
    """

    code = "image-too-many-pixels"


class ImageDimensionTooLarge(ImageRefused):
    """A side of the image is longer than the service decodes (`IMGSVC_MAX_SIDE`)."""

    code = "image-dimension-too-large"


class ImageTooManyFrames(ImageRefused):
    """The animation has more frames than the service decodes (`IMGSVC_MAX_FRAMES`)."""

    code = "image-too-many-frames"


class ImageTooComplex(ImageRefused):
    """The image would take an unreasonable effort to decode.

    A progressive JPEG with more scans than any real picture has.
    """

    code = "image-too-complex"


class ImageTooLargeForMemory(ImageRefused):
    """The image needs more memory than a worker has (`IMGSVC_WORKER_MEMORY`)."""

    code = "image-too-large-for-memory"


class OutputTooLarge(ImageRefused):
    """The result would be larger than the service makes, or than `max_bytes` allows.

    Counted as width x height x frames after each operation (`IMGSVC_MAX_OUTPUT_PIXELS`), or as the bytes
    that the format has at its lowest quality.
    """

    code = "output-too-large"


class TaskFailed(ImgsvcError):
    """The work was ended from outside."""


class ProcessingTimeout(TaskFailed):
    """The work took longer than it may and was killed.

    It may take the `timeout` that was asked for, at most `IMGSVC_JOB_TIMEOUT`. What takes longest is AVIF:
    one to three seconds an encoding for 12 megapixels, and `max_bytes` takes up to nine of them. A resize to
    what is shown helps most.
    """

    code = "processing-timeout"


class WorkerCrashed(TaskFailed):
    """The worker process died while it worked on this image."""

    code = "worker-crashed"


class StateRefused(ImgsvcError):
    """The thing asked for is not there, or not in a state that allows this."""


class NotFound(StateRefused):
    """There is no such resource."""

    code = "not-found"


class ResultExpired(StateRefused):
    """The job or the batch, and its results, have been removed or have expired."""

    code = "result-expired"


class JobNotFinished(StateRefused):
    """The job or the batch has not finished yet.

    Ask again later, or wait with `?wait=N`. An open batch must be closed first.
    """

    code = "job-not-finished"


class JobCanceled(StateRefused):
    """The job or the batch was canceled and has no result."""

    code = "job-canceled"


class ImageInUse(StateRefused):
    """The image is needed by jobs that have not ended."""

    code = "image-in-use"


class IdempotencyKeyInUse(StateRefused):
    """A request with this Idempotency-Key is still in progress.

    Nothing was read or done. Repeat it when the first one has been answered: that answer is given again.
    """

    code = "idempotency-key-in-use"


class Unavailable(ImgsvcError):
    """The service can't take this now; the same request may succeed later."""


class QueueFull(Unavailable):
    """The queue is full.

    Jobs, bytes of images or uploads under way have reached their limit (`IMGSVC_QUEUE_LIMIT`,
    `IMGSVC_QUEUE_BYTES`, `IMGSVC_UPLOADS`). Nothing of the request was kept.
    """

    code = "queue-full"


class QueueTimeout(Unavailable):
    """No worker became free in time.

    For a synchronous request within `IMGSVC_SYNC_WAIT`; or the machine is too busy even to read an
    upload's header.
    """

    code = "queue-timeout"


class Draining(Unavailable):
    """The service is shutting down and takes no new work."""

    code = "draining"


class StorageBusy(Unavailable):
    """The job database is busy."""

    code = "storage-busy"


class StorageUnavailable(Unavailable):
    """The storage or the job database can't be used at the moment."""

    code = "storage-unavailable"


class InsufficientStorage(Unavailable):
    """The disk is nearly full.

    New work is refused below the reserve (`IMGSVC_DISK_RESERVE`); reads, downloads and
    deletions still work.
    """

    code = "insufficient-storage"


class InternalError(ImgsvcError):
    """Something went wrong inside the service; it has been logged under the request id."""

    code = "internal-error"


def _leaves(root: type[ImgsvcError]) -> list[type[ImgsvcError]]:
    below = root.__subclasses__()
    return [leaf for cls in below for leaf in _leaves(cls)] if below else [root]


#: Every error that can be raised, by its code.
ERRORS: dict[str, type[ImgsvcError]] = {cls.code: cls for cls in _leaves(ImgsvcError)}


def from_problem(problem: Problem) -> ImgsvcError:
    """The error that a problem was made of, on the other side of a process border.

    Raises KeyError for a code that there is not.
    """
    return ERRORS[problem.code](
        problem.detail,
        errors=problem.errors,
        limit=problem.limit,
        actual=problem.actual,
        supported=problem.supported,
        output=problem.output,
    )
