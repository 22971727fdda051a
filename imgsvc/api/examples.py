"""Examples that the API's description shows; tests hold them to the shapes."""

from __future__ import annotations

from typing import Any

JOB_ID = "job_01a2078f8902711898b1f94c2f219ecb"
BATCH_ID = "bat_01a2078f8902711898b1f94c2f219ecb"
IMAGE_ID = "img_9f86d081884c7d659a2feaa0c55ad015"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
OPS = "resize:300x200,fit=cover/webp"

JOB: dict[str, Any] = {
    "id": JOB_ID,
    "status": "succeeded",
    "priority": "normal",
    "reference": None,
    "batch": None,
    "retry_of": None,
    "attempts": 1,
    "max_attempts": 3,
    "timeout_ms": 30000,
    "not_before": None,
    "created_at": "2026-11-23T08:39:35.120Z",
    "started_at": "2026-11-23T08:39:35.136Z",
    "finished_at": "2026-11-23T08:39:35.181Z",
    "expires_at": "2026-11-30T08:39:35.181Z",
    "image": {
        "id": IMAGE_ID,
        "filename": "cat.jpg",
        "content_type": "image/jpeg",
        "bytes": 144304,
        "width": 2000,
        "height": 1500,
        "sha256": SHA256,
    },
    "outputs": [{"name": "default", "spec": OPS}],
    "results": [
        {
            "name": "default",
            "content_type": "image/webp",
            "bytes": 5120,
            "width": 300,
            "height": 200,
            "etag": f'"{SHA256}"',
            "url": f"/v1/jobs/{JOB_ID}/result",
        }
    ],
    "pictures": [],
    "queue": {"position": None, "estimated_wait_ms": None},
    "progress": {"done": 3, "total": 3, "current": None},
    "timings": {
        "upload_ms": 3.1,
        "queue_ms": 12.4,
        "run_ms": 41.0,
        "total_ms": 61.0,
        "cpu_ms": 39.0,
        "peak_memory_bytes": 73400320,
        "memory_method": "vmhwm",
        "steps": [
            {"output": None, "op": "decode", "wall_ms": 18.2, "cpu_ms": 18.0, "in": None, "out": [500, 375]},
            {
                "output": "default",
                "op": "resize",
                "wall_ms": 0.9,
                "cpu_ms": 0.8,
                "in": [500, 375],
                "out": [300, 200],
            },
            {
                "output": "default",
                "op": "encode",
                "wall_ms": 11.0,
                "cpu_ms": 10.9,
                "in": [300, 200],
                "out": [300, 200],
            },
        ],
        "worker": {"lane": 1, "pid": 4242},
    },
    "history": [
        {
            "attempt": 1,
            "started_at": "2026-11-23T08:39:35.136Z",
            "ended_at": "2026-11-23T08:39:35.181Z",
            "outcome": "succeeded",
            "lane": 1,
        }
    ],
    "warnings": [],
    "error": None,
    "links": {
        "self": f"/v1/jobs/{JOB_ID}",
        "result": f"/v1/jobs/{JOB_ID}/result",
        "image": f"/v1/images/{IMAGE_ID}",
    },
}

QUEUED: dict[str, Any] = JOB | {
    "status": "queued",
    "attempts": 0,
    "started_at": None,
    "finished_at": None,
    "expires_at": None,
    "results": [],
    "queue": {"position": 1, "estimated_wait_ms": 100.0},
    "progress": {"done": 0, "total": 3, "current": None},
    "timings": {
        "upload_ms": 3.1,
        "queue_ms": None,
        "run_ms": None,
        "total_ms": None,
        "cpu_ms": None,
        "peak_memory_bytes": None,
        "memory_method": None,
        "steps": [],
        "worker": None,
    },
    "history": [],
}

IMAGE: dict[str, Any] = {
    "id": IMAGE_ID,
    "format": "jpeg",
    "content_type": "image/jpeg",
    "width": 2000,
    "height": 1500,
    "frames": 1,
    "bytes": 144304,
    "sha256": SHA256,
    "has_alpha": False,
    "created_at": "2026-11-23T08:39:35.120Z",
    "kept": True,
    "expires_at": None,
    "links": {
        "self": f"/v1/images/{IMAGE_ID}",
        "content": f"/v1/images/{IMAGE_ID}/content",
        "info": f"/v1/images/{IMAGE_ID}/info",
    },
}

INFO: dict[str, Any] = {
    "id": IMAGE_ID,
    "format": "jpeg",
    "content_type": "image/jpeg",
    "width": 2000,
    "height": 1500,
    "frames": 1,
    "bytes": 144304,
    "sha256": SHA256,
    "has_alpha": False,
    "icc_profile": "Display P3",
    "exif": {
        "Make": "Maker",
        "Orientation": 1,
        "ExposureTime": 0.004,
        "LensSpecification": [4.25, 6, 1.8, 2.4],
    },
    "gps": None,
    "dominant_color": "#786c64",
    "average_color": "#878787",
    "palette": [{"color": "#786c64", "share": 0.68}, {"color": "#a7c6e0", "share": 0.32}],
    "blurhash": "TqGb-kbJWA?wa~axt-Wra{p0WEj[",
    "thumbhash": "4QcOHQR3h393p3iYh3Z4aKaDYCkI",
    "phash": "888490af3f7b4f70",
    "data_uri": "data:image/webp;base64,UklGRiQAAABXRUJQVlA4IBgAAAAwAQCdASoQAAwAAsBMJaQAA3AA/vAnAAA=",
    "links": {"self": f"/v1/images/{IMAGE_ID}/info", "image": f"/v1/images/{IMAGE_ID}"},
}

BATCH: dict[str, Any] = {
    "id": BATCH_ID,
    "status": "failed",
    "name": "holidays",
    "counts": {"total": 3, "queued": 0, "running": 0, "succeeded": 2, "failed": 1, "canceled": 0},
    "failures": [
        {
            "job": JOB_ID,
            "reference": "2026/cat.jpg",
            "filename": "cat.jpg",
            "error": {
                "type": "/problems/image-corrupt",
                "title": "The image is damaged and can't be decoded",
                "status": 422,
                "detail": "the image ends too early",
                "code": "image-corrupt",
            },
        }
    ],
    "created_at": "2026-11-23T08:39:35.120Z",
    "links": {
        "self": f"/v1/batches/{BATCH_ID}",
        "jobs": f"/v1/jobs?batch={BATCH_ID}",
        "failed": f"/v1/jobs?batch={BATCH_ID}&status=failed",
        "results": f"/v1/batches/{BATCH_ID}/results.zip",
    },
}

OPENED: dict[str, Any] = BATCH | {
    "status": "open",
    "counts": dict.fromkeys(BATCH["counts"], 0),
    "failures": [],
}

EXPLAINED: dict[str, Any] = {
    "spec": OPS,
    "operations": [{"op": "resize", "size": "300x200", "fit": "cover"}, {"op": "webp"}],
    "steps": [
        {"op": "resize", "in": [4032, 3024], "out": [300, 200]},
        {"op": "webp", "in": [300, 200], "out": [300, 200]},
    ],
}

PRESET: dict[str, Any] = {
    "name": "card",
    "hash": "3f2a90c41b7e",
    "description": "A picture in a list",
    "spec": OPS,
    "operations": [{"op": "resize", "size": "300x200", "fit": "cover"}, {"op": "webp"}],
    "url": "/r/{image}/preset:card",
    "immutable_url": "/r/{image}/preset:card@3f2a90c41b7e",
}

#: Ways to say a pipeline, for bodies and parameters.
PIPELINES: dict[str, Any] = {
    "thumbnail": {"summary": "A thumbnail", "value": "thumbnail:256x256/webp"},
    "cover": {"summary": "Cut to a ratio", "value": OPS},
    "chain": {"summary": "Several operations", "value": "resize:800x/grayscale/jpeg:85,progressive"},
    "json": {"summary": "As JSON", "value": '["resize:300x200,fit=cover","grayscale","webp:82"]'},
}
