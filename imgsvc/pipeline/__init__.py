"""The grammar: text ⇄ JSON ⇄ frozen pipelines, with one canonical spelling."""

from __future__ import annotations

from imgsvc.pipeline.catalogue import describe
from imgsvc.pipeline.grammar import Grammar
from imgsvc.pipeline.pipeline import Pipeline
from imgsvc.pipeline.presets import Preset, Presets

__all__ = ["Grammar", "Pipeline", "Preset", "Presets", "describe"]
