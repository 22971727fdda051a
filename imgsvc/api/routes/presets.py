"""`/v1/presets`: the pipelines that have a name here."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from imgsvc.api import examples
from imgsvc.api.door import door, revalidated
from imgsvc.api.openapi import document, operation, plain
from imgsvc.api.routes.shared import IF_NONE_MATCH
from imgsvc.pipeline import Preset

router = APIRouter(tags=["Operations"])


@router.get(
    "/v1/presets",
    **operation(
        "listPresets",
        "List all presets",
        {
            200: document("Presets", "The presets, in their file's order.", {"presets": [examples.PRESET]}),
            304: plain("Nothing has changed."),
        },
        parameters=[IF_NONE_MATCH],
    ),
)
async def list_presets(request: Request) -> Response:
    """Every preset of `imgsvc.toml`: its version, what it stands for, and where its renders are."""
    presets = door(request).options.presets.values()
    return revalidated(request, {"presets": [shown(preset) for preset in presets]})


def shown(preset: Preset) -> dict[str, object]:
    """A preset's document."""
    return {
        "name": preset.name,
        "hash": preset.hash,
        "description": preset.description,
        "spec": preset.pipeline.text,
        "operations": preset.pipeline.json(),
        "url": f"/r/{{image}}/preset:{preset.name}",
        "immutable_url": f"/r/{{image}}/preset:{preset.pinned}",
    }
