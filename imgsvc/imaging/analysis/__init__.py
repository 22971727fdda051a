"""What a picture looks like and what it says of itself, from one reduced decode."""

from __future__ import annotations

from imgsvc.imaging.analysis.analyse import ANALYSIS_VERSION, Analysed, analyse
from imgsvc.imaging.analysis.document import Analysis, Tone
from imgsvc.imaging.analysis.metadata import Place

__all__ = ["ANALYSIS_VERSION", "Analysed", "Analysis", "Place", "Tone", "analyse"]
