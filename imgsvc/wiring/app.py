"""Puts the door before a service; apart, so that workers can start while the door is still being imported."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, nullcontext

from imgsvc.api import Api, ApiOptions, create_app
from imgsvc.config import Settings
from imgsvc.config.presets import served
from imgsvc.metrics import Metrics
from imgsvc.pipeline import Presets
from imgsvc.service import Service
from imgsvc.wiring import open_service


def app_of(service: Service, settings: Settings, presets: Presets) -> Api:
    """The ASGI application of a service that is open; closing it is left to whoever opened it."""
    opened: AbstractAsyncContextManager[Service] = nullcontext(service)
    return create_app(lambda: opened, _options(settings, presets), metrics=service.metrics)


def open_app(settings: Settings) -> Api:
    """The ASGI application of a service that opens and closes with it, for servers other than ours.

    Raises SettingsRefused for presets that are none.
    """
    metrics = Metrics()
    options = _options(settings, served(settings))
    return create_app(lambda: open_service(settings, metrics=metrics), options, metrics=metrics)


def _options(settings: Settings, presets: Presets) -> ApiOptions:
    return ApiOptions(
        max_body=settings.max_body,
        body_timeout=settings.body_timeout,
        job_timeout=settings.job_timeout,
        max_outputs=settings.max_outputs,
        batch_files=settings.batch_files,
        cors_origins=settings.cors_origins,
        public_url=settings.public_url,
        signing=settings.signing_keys,
        signed_results=settings.signed_results,
        testing=settings.test_operations,
        presets=presets,
        presets_only=settings.presets_only,
    )
