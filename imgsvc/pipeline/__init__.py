"""The grammar: text ⇄ JSON ⇄ frozen pipelines, with one canonical spelling."""

from __future__ import annotations

from imgsvc.pipeline.catalogue import describe
from imgsvc.pipeline.grammar import Grammar
from imgsvc.pipeline.pipeline import Pipeline

__all__ = ["Grammar", "Pipeline", "describe"]
