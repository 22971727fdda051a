"""Pages that show what was measured."""

from __future__ import annotations

import re
from collections.abc import Mapping


def written_into(page: str, parts: Mapping[str, str]) -> str:
    """The page with the paragraph behind each `<!-- measured: NAME -->` replaced by the part of that name."""
    return re.sub(
        r"(<!-- measured: (\w+) -->\n\n).+?(?=\n\n)",
        lambda found: found[1] + parts[found[2]],
        page,
        flags=re.DOTALL,
    )
