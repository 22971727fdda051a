"""The grammar: text ⇄ JSON ⇄ frozen pipelines, with one canonical spelling."""

from __future__ import annotations

from imgsvc.pipeline.catalogue import describe
from imgsvc.pipeline.grammar import Grammar
from imgsvc.pipeline.order import MAX_OPERATIONS
from imgsvc.pipeline.pipeline import Pipeline
from imgsvc.pipeline.presets import Preset, Presets
from imgsvc.pipeline.srcset import Srcset

__all__ = ["MAX_OPERATIONS", "Grammar", "Pipeline", "Preset", "Presets", "Srcset", "describe"]
