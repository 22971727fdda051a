"""The use cases: submit, look, fetch, cancel, process; uploads stream to staging in `intake`."""

from imgsvc.jobstore import Answer, Receipt
from imgsvc.scheduler import Policy
from imgsvc.service.batches import Batches
from imgsvc.service.blobs import Blob
from imgsvc.service.fills import Hold
from imgsvc.service.images import Images
from imgsvc.service.intake import Arrived, Incoming, Intake, Staged
from imgsvc.service.keys import Claim, Keys
from imgsvc.service.making import Render, Way
from imgsvc.service.renders import Renders
from imgsvc.service.requests import (
    BatchRequest,
    JobRequest,
    Processed,
    QueuePlace,
    QueueStats,
    Readiness,
    Stats,
    UploadStats,
    Workers,
)
from imgsvc.service.room import Place
from imgsvc.service.service import Service
from imgsvc.service.sources import Found, Source, Sources

__all__ = [
    "Answer",
    "Arrived",
    "BatchRequest",
    "Batches",
    "Blob",
    "Claim",
    "Found",
    "Hold",
    "Images",
    "Incoming",
    "Intake",
    "JobRequest",
    "Keys",
    "Place",
    "Policy",
    "Processed",
    "QueuePlace",
    "QueueStats",
    "Readiness",
    "Receipt",
    "Render",
    "Renders",
    "Service",
    "Source",
    "Sources",
    "Staged",
    "Stats",
    "UploadStats",
    "Way",
    "Workers",
]
