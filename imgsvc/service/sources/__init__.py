"""Sources: pictures that lie in a folder which is only read (`SOURCES_DIR`)."""

from imgsvc.service.sources.folder import Folder, Found
from imgsvc.service.sources.sources import Source, Sources

__all__ = ["Folder", "Found", "Source", "Sources"]
