"""What an operator sees, as documents: numbers, workers, readiness, versions."""

from __future__ import annotations

import platform
from importlib import metadata

from imgsvc import __version__
from imgsvc.api.documents import Document
from imgsvc.api.examples import BATCH_ID
from imgsvc.api.submissions import DEFAULT
from imgsvc.dispatch import LaneInfo
from imgsvc.errors import Draining, ImgsvcError, QueueTimeout, StorageUnavailable
from imgsvc.jobs import State
from imgsvc.metrics import Metrics
from imgsvc.service import Policy, Readiness, Stats, Workers

#: What runs here.
VERSION: Document = {
    "name": "imgsvc",
    "version": __version__,
    "python": platform.python_version(),
    **{name: metadata.version(name) for name in ("pillow", "fastapi", "starlette", "uvicorn", "loky")},
}

_LANE: Document = {
    "lane": 1,
    "pid": 4242,
    "state": "busy",
    "job": "job_01a2078f8902711898b1f94c2f219ecb",
    "step": "resize",
    "rss_bytes": 73400320,
    "tasks": 12,
    "restarts": 1,
    "last_restart": {"reason": "crashed", "at": "2026-11-23T08:39:35.120Z"},
}
#: Works in quarantine that are shown at most, the latest.
MAX_HELD = 100
_DESK: Document = _LANE | {"lane": 0, "pid": 4243, "state": "idle", "job": None, "step": None}
_TIMES = {"mean": 0.9, "p50": 0.9, "p95": 1.3, "p99": 1.9}
#: Examples.
WORKERS: Document = {
    "lanes": [_LANE],
    "desk": _DESK,
    "quarantine": [
        {
            "image": "img_0f343b0931126a20f133d67c2b018a3b",
            "specs": ["resize:300x200"],
            "losses": 2,
            "left_ms": 431000,
        }
    ],
}
STATS: Document = {
    "queue": {
        "depth": 0,
        "by_priority": {"high": 0, "normal": 0, "low": 0},
        "running": 1,
        "bytes": 144304,
        "oldest_age_ms": None,
        "paused": False,
        "limit": 20000,
        "limit_bytes": 21474836480,
        "top_batches": [{"id": BATCH_ID, "name": "holidays", "queued": 9, "running": 2}],
    },
    "uploads": {"active": 2, "waiting": 0, "limit": 256},
    "operations": {"resize": {"count": 9, "errors": 0, "wall_ms": _TIMES, "cpu_ms": _TIMES}},
    "jobs": {"queued": 0, "running": 1, "succeeded": 9, "failed": 0, "canceled": 0},
    "totals": {
        "jobs": {"succeeded": 9, "failed": 0, "canceled": 0},
        "calls": {"succeeded": 3, "refused": 1},
        "problems": {"image-corrupt": 1, "queue-full": 2},
        "refused_bodies": {"count": 2, "bytes": 131072, "largest": 131072},
        "bytes_in": 1298736,
        "bytes_out": 46080,
    },
    "storage": {
        "result_bytes": 46080,
        "result_limit_bytes": 21474836480,
        "image_bytes": 1298736,
        "free_bytes": 64424509440,
        "reserve_bytes": 536870912,
    },
    "cache": {
        "hits": 950,
        "misses": 50,
        "shared": 12,
        "spared": 0,
        "evictions": 3,
        "broken": 0,
        "entries": 47,
        "bytes": 1048576,
        "limit_bytes": 1073741824,
    },
    "masters": {
        "hits": 30,
        "misses": 8,
        "filled": 12,
        "evictions": 0,
        "broken": 0,
        "entries": 18,
        "bytes": 96468992,
        "limit_bytes": 2147483648,
    },
    "uptime_s": 12.3,
}


def stats(found: Stats, policy: Policy, metrics: Metrics | None) -> Document:
    """The service in numbers; `totals` and `operations` count since the start of this server."""
    return {
        "queue": {
            "depth": found.queue.backlog.queued,
            "by_priority": {priority.value: jobs for priority, jobs in found.queue.depths.items()},
            "running": found.queue.backlog.running,
            "bytes": found.queue.backlog.bytes,
            "oldest_age_ms": found.queue.oldest_age_ms,
            "paused": found.queue.paused,
            "limit": policy.queue_limit,
            "limit_bytes": policy.queue_bytes,
            "top_batches": [
                {
                    "id": batch.id,
                    "name": batch.name,
                    "queued": batch.counts.queued,
                    "running": batch.counts.running,
                }
                for batch in found.queue.top_batches
            ],
        },
        "uploads": {
            "active": found.uploads.active,
            "waiting": found.uploads.waiting,
            "limit": found.uploads.limit,
        },
        "operations": metrics.operations() if metrics is not None else {},
        "jobs": {state.value: found.jobs.get(state, 0) for state in State},
        "totals": metrics.totals() if metrics is not None else {},
        "storage": {
            "result_bytes": found.stored.results,
            "result_limit_bytes": found.result_limit,
            "image_bytes": found.stored.images,
            "free_bytes": found.free_bytes,
            "reserve_bytes": found.reserve_bytes,
        },
        "cache": {
            "hits": found.renders.hits,
            "misses": found.renders.misses,
            "shared": found.renders.shared,
            "spared": found.renders.spared,
            "evictions": found.renders.evictions,
            "broken": found.renders.broken,
            "entries": found.renders.entries,
            "bytes": found.renders.bytes,
            "limit_bytes": found.renders.limit,
        },
        "masters": {
            "hits": found.masters.hits,
            "misses": found.masters.misses,
            "filled": found.masters.filled,
            "evictions": found.masters.evictions,
            "broken": found.masters.broken,
            "entries": found.masters.entries,
            "bytes": found.masters.bytes,
            "limit_bytes": found.masters.limit,
        },
        "uptime_s": found.uptime_s,
    }


def workers(found: Workers) -> Document:
    """Lanes and desk."""
    return {
        "lanes": [_lane(info, job) for info, job in found.lanes],
        "desk": _lane(found.desk, None),
        "quarantine": [
            {
                "image": held.suspect.image,
                "specs": sorted(held.suspect.specs),
                "losses": held.losses,
                "left_ms": round(held.left_s * 1000),
            }
            for held in found.quarantine[-MAX_HELD:]
        ],
    }


def unready(readiness: Readiness) -> ImgsvcError:
    """Why no traffic may come, as the error that tells it best."""
    detail = "; ".join(readiness.reasons)
    if "draining" in readiness.reasons:
        return Draining(detail)
    return QueueTimeout(detail) if "worker" in detail else StorageUnavailable(detail)


def _lane(info: LaneInfo, job: str | None) -> Document:
    restart = info.last_restart
    return {
        "lane": info.lane,
        "pid": info.pid,
        "state": info.state.value,
        "job": job,
        "step": None if info.step is None else info.step.removeprefix(f"{DEFAULT}: "),
        "rss_bytes": info.rss_bytes,
        "tasks": info.tasks,
        "restarts": info.restarts,
        "last_restart": None
        if restart is None
        else {
            "reason": restart.reason,
            "at": restart.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        },
    }
