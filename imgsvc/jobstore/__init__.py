"""The durable record of images and jobs: one module per URL scheme, each with `connect(url)`."""

from __future__ import annotations

from imgsvc import plugins
from imgsvc.jobstore._base import Backlog, Ending, ImagePage, JobStore, Page, Stored, rank
from imgsvc.jobstore._batches import BatchPage, check_open
from imgsvc.jobstore._receipts import Answer, Receipt

__all__ = [
    "Answer",
    "Backlog",
    "BatchPage",
    "Ending",
    "ImagePage",
    "JobStore",
    "Page",
    "Receipt",
    "Stored",
    "check_open",
    "connect",
    "rank",
]


def connect(url: str) -> JobStore:
    """Make the job store that `url` names: `sqlite:///data/imgsvc.sqlite3`, `memory:`.

    Raises LookupError for an unknown scheme and ValueError for a URL that its module refuses.
    """
    scheme, _, _ = url.partition(":")
    store: JobStore = plugins.load(__name__, scheme).connect(url)
    return store
