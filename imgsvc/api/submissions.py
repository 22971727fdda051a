"""What a submitter asks for: pipelines and parameters from a query, a form or JSON, validated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from imgsvc import formats
from imgsvc.api import srcsets
from imgsvc.api.options import ApiOptions
from imgsvc.api.parameters import Reader, pointer
from imgsvc.errors import Fault, InvalidOperation, MalformedRequest
from imgsvc.jobs import LONGEST_OUTPUT_NAME, OUTPUT_NAME, OUTPUT_NAME_RULE, Priority
from imgsvc.pipeline import Grammar, Pipeline, Srcset
from imgsvc.service.requests import BatchRequest, JobRequest

#: What a submission may say, wherever it says it.
FIELDS = ("ops", "outputs", "priority", "timeout", "retention", "reference", "batch", "max_attempts")
#: What opens a batch, and what a form that brings its files may say: each job's own is not for all of them.
BATCH_FIELDS = ("name", "priority", "retention")
BATCH_FORM_FIELDS = ("name", *(field for field in FIELDS if field not in {"reference", "batch"}))
#: The longest name of a batch.
MAX_NAME = 255
#: The name of the only output of a submission with `ops`.
DEFAULT = "default"
#: The longest caller's own id.
MAX_REFERENCE = 255
#: The most starts that a submitter may allow.
MAX_ATTEMPTS = 10
#: The shortest and the longest time that results are kept on request, in seconds (a moment, 30 days).
MIN_RETENTION, MAX_RETENTION = 0.1, 30 * 86400.0
#: The shortest time to run, in seconds.
MIN_TIMEOUT = 0.05


class Submissions:
    """Reads submissions."""

    def __init__(self, grammar: Grammar, options: ApiOptions) -> None:
        self._grammar = grammar
        self._options = options

    def read(
        self,
        values: Mapping[str, object],
        *,
        complete: bool = True,
        json: bool = False,
        fields: Sequence[str] = FIELDS,
    ) -> JobRequest:
        """A submission out of parameters, which are of `fields`.

        Raises InvalidParameter, InvalidOperation, MalformedRequest.
        With `complete=False` more may follow (fields after the file): the pipelines may still be missing.
        With `json` the pointers are into the body that was sent, not into the pipeline.
        """
        reader = Reader(values, fields)
        priority = reader.choice("priority", Priority)
        timeout = reader.seconds("timeout", MIN_TIMEOUT, self._options.job_timeout)
        retention = reader.seconds("retention", MIN_RETENTION, MAX_RETENTION)
        reference = reader.text("reference", MAX_REFERENCE)
        batch = reader.text("batch", MAX_REFERENCE)
        if batch is None and reference is not None and "batch" in values and values["batch"] is not None:
            # A variable that a script has not set: outside a batch no repeat would be noticed.
            reader.refuse("batch", "batch is blank beside a reference; give the batch's id, or no batch")
        attempts = reader.whole("max_attempts", 1, MAX_ATTEMPTS)
        reader.done()
        return JobRequest(
            outputs=self._outputs(values, complete=complete, json=json),
            # Unsaid, it is the batch's; where there is none, saying the usual one says nothing.
            priority=priority or (None if batch else Priority.NORMAL),
            timeout_s=timeout,
            retention_s=retention,
            reference=reference,
            batch=batch,
            max_attempts=attempts,
        )

    def batch(self, values: Mapping[str, object], fields: Sequence[str] = BATCH_FIELDS) -> BatchRequest:
        """A batch out of parameters; raises InvalidParameter."""
        reader = Reader(values, fields)
        name = reader.text("name", MAX_NAME)
        priority = reader.choice("priority", Priority)
        retention = reader.seconds("retention", MIN_RETENTION, MAX_RETENTION)
        reader.done()
        return BatchRequest(name=name, priority=priority, retention_s=retention)

    def filled(self, values: Mapping[str, object], *, complete: bool) -> tuple[BatchRequest, JobRequest]:
        """A batch, and what each of its files is to become, out of a form; raises as `read`."""
        batch = self.batch(values, BATCH_FORM_FIELDS)
        return batch, self.read(values, complete=complete, fields=BATCH_FORM_FIELDS)

    def ops(self, value: object) -> Pipeline:
        """One pipeline; nothing means that the picture is only encoded again."""
        if value is None or (isinstance(value, str) and not value.strip()):
            return self._grammar.parse("")
        return self._grammar.load(value)

    def _outputs(
        self, values: Mapping[str, object], *, complete: bool, json: bool
    ) -> Mapping[str, Pipeline | Srcset]:
        given = [name for name in ("ops", "outputs") if not _blank(values.get(name))]
        if len(given) == 2:
            raise MalformedRequest("ops and outputs exclude each other; give one of them")
        if not given:
            if complete:
                raise MalformedRequest("give ops (one pipeline) or outputs (an object of named pipelines)")
            return {}
        if given == ["ops"]:
            try:
                return {DEFAULT: concrete(self._grammar.load(values["ops"]), values["ops"])}
            except InvalidOperation as error:
                raise (srcsets.placed(error, None, "ops") if json else error) from None
        most = self._options.max_outputs
        outputs = {name: self._output(name, value) for name, value in _named(values["outputs"], most).items()}
        srcsets.check(outputs, most, LONGEST_OUTPUT_NAME)
        return outputs

    def _output(self, name: str, value: object) -> Pipeline | Srcset:
        if not OUTPUT_NAME.fullmatch(name):
            raise srcsets.bad(f"an output's name has {OUTPUT_NAME_RULE}", OUTPUT_NAME_RULE, name)
        if isinstance(value, Mapping):
            found: Pipeline | Srcset = srcsets.read(name, value, self._load)
            where: tuple[str, ...] = (name, "ops")
            ops = value.get("ops")
        else:
            found = self._load(value, (name,))
            where = (name,)
            ops = value
        if isinstance(found, Srcset):
            return found
        try:
            return concrete(found, ops)
        except InvalidOperation as error:
            raise srcsets.placed(error, name, "outputs", *where) from None

    def _load(self, value: object, where: tuple[str, ...]) -> Pipeline:
        """A pipeline that stands there in `outputs`."""
        try:
            return self._grammar.load(value)
        except InvalidOperation as error:
            item = len(where) > 1 and where[1] == "formats"
            raise srcsets.placed(error, where[0], "outputs", *where, item=item) from None


def concrete(pipeline: Pipeline, given: object) -> Pipeline:
    """A job's pipeline, and what it was read from; raises InvalidOperation where it ends in `auto`."""
    if not pipeline.negotiates:
        return pipeline
    names = tuple(formats.registry())
    detail = (
        "auto chooses by a client's Accept, and a job has no client when it runs; it means something in /r/, "
        f"in POST /v1/process and beside widths. Name a format, {', '.join(names)}, "
        "or none to keep the source's"
    )
    text = given if isinstance(given, str) and not given.lstrip().startswith("[") else None
    # `auto`, or the preset that has it, stands behind the last separator.
    offset = None if text is None else max(text.rfind("/"), text.rfind("|")) + 1
    place = pointer(str(pipeline.written.count("/")))
    fault = Fault(detail=detail, pointer=place, offset=offset, allowed=names)
    raise InvalidOperation(detail, errors=(fault,))


def _blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _named(value: object, most: int) -> dict[str, object]:
    """The `outputs` object; a form or a query has it as JSON text."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise srcsets.bad(
                "outputs is not valid JSON", 'an object such as {"thumb": "thumbnail"}'
            ) from None
    if not isinstance(value, dict) or not 1 <= len(value) <= most:
        rule = f"an object of 1 to {most} named pipelines"
        raise srcsets.bad(f"outputs must be {rule}", rule)
    return value
