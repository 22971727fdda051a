"""The settings of what pages are given: signed links, and files that lie in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic_settings import NoDecode

from imgsvc.config.keys import SigningKeys
from imgsvc.config.kinds import About, Bytes, Flag
from imgsvc.config.places import Place
from imgsvc.config.settings.group import Group
from imgsvc.config.settings.units import MIB
from imgsvc.signing import Keyring


class Delivery(Group):
    """What pages are given, and by which links"""

    signing_keys: Annotated[
        Keyring | None,
        NoDecode,
        SigningKeys(),
        About(
            "Keys that sign links: renders (`/r/`) are then only given to links that one of them has signed. "
            "The first key signs, all verify. Never shown (docs/signing.md).",
            "Without keys renders are open: right for one's own machine, and behind what knows its users.",
        ),
    ] = None
    signed_results: Annotated[
        bool,
        Flag(),
        About(
            "Results of jobs too are only given to links that are signed; it needs `SIGNING_KEYS` "
            "(docs/signing.md).",
            "Off: whoever may use the API gets results by the links in a job's document, which have no end.",
        ),
    ] = False

    sources_dir: Annotated[
        Path | None,
        Place("a folder"),
        About(
            "A folder with pictures that are rendered where they lie, as `/r/@path/to/file.jpg/…`; it is "
            "only read (docs/sources.md).",
            "What lies on a disk is shown to nobody unless you say which part of it.",
        ),
    ] = None
    source_copies: Annotated[
        int,
        Bytes(0),
        About(
            "Room for copies of files of `SOURCES_DIR`, which workers read; the last ones stay for the next "
            "render of the same file.",
            "Some sixty photographs; a copy costs a few milliseconds, and workers never see the folder.",
        ),
    ] = 256 * MIB
