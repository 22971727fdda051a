"""HTTP in and out; decides nothing."""

from __future__ import annotations

from imgsvc.api.options import ApiOptions

__all__ = ["ApiOptions"]
