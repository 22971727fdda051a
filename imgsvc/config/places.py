"""Kinds of settings that name a place on this machine, where `kinds` has no room for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from imgsvc.config.kinds import Folder, Kind

#: The file that is read where it lies in the current folder and no other is named.
USUAL = "imgsvc.toml"


@dataclass(frozen=True, slots=True)
class Place(Kind):
    """A file or a folder, or none. Whether it is there is found out by who reads it."""

    noun: str

    @property
    def expected(self) -> str:
        """What may be given."""
        return f"{self.noun}, or none"

    def parse(self, given: object) -> Path | None:
        """The absolute path; a relative one starts at the current folder."""
        if given is None or str(given).strip().lower() == "none":
            return None
        path: Path = Folder().parse(given)
        return path


def usual_file() -> Path | None:
    """The file of the usual name in the current folder, if it is there."""
    path = Path(USUAL).absolute()
    return path if path.is_file() else None
