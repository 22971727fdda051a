"""What groups of settings have in common: how the environment names them, and that they never change."""

from __future__ import annotations

from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "IMGSVC_"


class Group(BaseSettings):
    """Settings that are read about together; the docstring is their heading in the docs."""

    # `extra` is load()'s business: it names the nearest settings too.
    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True, extra="forbid")
