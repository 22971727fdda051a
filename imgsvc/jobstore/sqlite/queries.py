"""The statements of the .sql files by their names: SQL stays SQL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType

_FILES = ("queries.sql", "batches.sql")


def _load() -> Mapping[str, str]:
    room = resources.files(__package__)
    text = "".join(room.joinpath(name).read_text(encoding="utf-8") for name in _FILES)
    parts = re.split(r"^-- ([a-z_]+) --\n", text, flags=re.MULTILINE)
    found = dict(zip(parts[1::2], map(str.strip, parts[2::2]), strict=True))
    columns = {name: found.pop(name) for name in ("job", "image", "batch")}
    for name, columns_of in columns.items():
        found = {query: sql.replace(f"{{{name}}}", columns_of) for query, sql in found.items()}
    return MappingProxyType(found)


#: Every statement by its name.
SQL = _load()
