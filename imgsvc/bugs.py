"""Bugs of ours, on their way from the process that ran into one to the log."""

from __future__ import annotations

import logging
import traceback

from pydantic import BaseModel, ConfigDict

#: How many of the innermost frames are told, how many characters one or a message may have (which may hold
#: all sorts of things), and how many the whole: a report is to stay below 4 KB.
_FRAMES, _EACH, _WHOLE = 8, 400, 2500

_log = logging.getLogger(__name__)


class Bug(BaseModel):
    """What an unforeseen exception tells whoever mends it; never shown to clients."""

    model_config = ConfigDict(frozen=True)

    #: What was being done: "decode", "thumb: resize", …
    step: str | None
    traceback: str

    @classmethod
    def of(cls, error: BaseException, step: str | None) -> Bug:
        """Never raises, however little memory is left."""
        try:
            parts = traceback.format_exception(error, limit=-_FRAMES)
            told = "\n".join(part[:_EACH].rstrip() for part in parts)[-_WHOLE:]
        except Exception:  # noqa: BLE001  # also what the exception's own __str__ raises
            told = type(error).__name__
        return cls(step=step, traceback=told)


def tell(what: str, bug: Bug | None, **ids: str | None) -> None:
    """One line of the log, with the ids that are given and that of the request that is being answered."""
    fields = {**ids, "step": bug.step, "exception": bug.traceback} if bug is not None else ids
    _log.error(what, extra={name: value for name, value in fields.items() if value is not None})
