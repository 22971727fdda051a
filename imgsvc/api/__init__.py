"""HTTP in and out; decides nothing."""

from __future__ import annotations

from imgsvc.api.app import Api, create_app
from imgsvc.api.options import ApiOptions

__all__ = ["Api", "ApiOptions", "create_app"]
