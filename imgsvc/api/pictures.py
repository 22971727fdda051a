"""Pictures in several widths and formats, ready for a page: links with true widths, and the HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from imgsvc.jobs import Job, Result

#: What every browser and mail program shows: one of these is behind `<img>`, the last one of several.
_PLAIN = ("image/jpeg", "image/png", "image/gif")
#: How wide the picture is on the page, for whoever pastes the snippet to say better.
_SIZES = "100vw"
#: The attributes say the ratio, so that nothing jumps; without this they would be the width on the page.
_STYLE = "max-width:100%;height:auto"


def pictures(job: Job, public_url: str | None) -> list[dict[str, Any]]:
    """Every picture of a job whose results are there; with `public_url` the links are absolute."""
    results = {result.name: result for result in job.results}
    members: dict[str, list[Result]] = {}
    for output in job.outputs:
        if output.picture is not None and output.name in results:
            members.setdefault(output.picture, []).append(results[output.name])
    base = f"{(public_url or '').rstrip('/')}/v1/jobs/{job.id}/results/"
    return [_picture(name, found, base) for name, found in members.items()]


def _picture(name: str, results: Sequence[Result], base: str) -> dict[str, Any]:
    largest = max(results, key=lambda result: result.width)
    sources = [{"type": kind, "srcset": _srcset(found, base)} for kind, found in _by_type(results).items()]
    of_last = [result for result in results if result.content_type == sources[-1]["type"]]
    src = base + max(of_last, key=lambda result: result.width).name
    return {
        "name": name,
        "html": _html(sources, src, largest),
        "src": src,
        "sources": sources,
        "width": largest.width,
        "height": largest.height,
    }


def _by_type(results: Sequence[Result]) -> Mapping[str, list[Result]]:
    """Results by media type in the order of the formats, the one for `<img>` last."""
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(result.content_type, []).append(result)
    last = next((kind for kind in reversed(found) if kind in _PLAIN), [*found][-1])
    found[last] = found.pop(last)
    return found


def _srcset(results: Sequence[Result], base: str) -> str:
    rising = sorted(results, key=lambda result: result.width)
    # A comma would end a link in the middle.
    return ", ".join(f"{base.replace(',', '%2C')}{result.name} {result.width}w" for result in rising)


def _html(sources: Sequence[Mapping[str, str]], src: str, largest: Result) -> str:
    *others, last = sources
    offered = "".join(
        f'<source type="{escape(each["type"])}" srcset="{escape(each["srcset"])}" sizes="{_SIZES}">'
        for each in others
    )
    return (
        f'<picture>{offered}<img src="{escape(src)}" srcset="{escape(last["srcset"])}" sizes="{_SIZES}" '
        f'width="{largest.width}" height="{largest.height}" alt="" '
        f'style="{_STYLE}" loading="lazy" decoding="async"></picture>'
    )
