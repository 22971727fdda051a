"""Puts the door before a service; apart, so that workers can start while the door is still being imported."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, nullcontext

from imgsvc.api import Api, ApiOptions, create_app
from imgsvc.config import Settings
from imgsvc.metrics import Metrics
from imgsvc.service import Service
from imgsvc.wiring import open_service


def app_of(service: Service, settings: Settings) -> Api:
    """The ASGI application of a service that is open; closing it is left to whoever opened it."""
    opened: AbstractAsyncContextManager[Service] = nullcontext(service)
    return create_app(lambda: opened, _options(settings), metrics=service.metrics)


def open_app(settings: Settings) -> Api:
    """The ASGI application of a service that opens and closes with it, for servers other than ours."""
    metrics = Metrics()
    return create_app(lambda: open_service(settings, metrics=metrics), _options(settings), metrics=metrics)


def _options(settings: Settings) -> ApiOptions:
    return ApiOptions(
        max_body=settings.max_body,
        body_timeout=settings.body_timeout,
        job_timeout=settings.job_timeout,
        batch_files=settings.batch_files,
        cors_origins=settings.cors_origins,
        public_url=settings.public_url,
        signing=settings.signing_keys,
        testing=settings.test_operations,
    )
