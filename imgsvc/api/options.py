"""What the API needs to know from the settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from imgsvc.pipeline import Presets
from imgsvc.signing import Keyring


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """The door's part of the settings; the defaults are those of the settings."""

    #: The most bytes of one image.
    max_body: int = 64 * 1024 * 1024
    #: Seconds that a body may make no progress.
    body_timeout: float = 30.0
    #: Seconds that a job may run; its submitter may ask for less.
    job_timeout: float = 30.0
    #: Results of one job, widths × formats.
    max_outputs: int = 60
    #: Files of one form that makes a batch.
    batch_files: int = 1000
    #: Origins whose pages may call the API; `*` for all of them.
    cors_origins: tuple[str, ...] = ()
    #: Where the service is reached from outside, for the OpenAPI document.
    public_url: str | None = None
    #: The keys that renders must be signed with; None where they are open.
    signing: Keyring | None = None
    #: Must links to results be signed too?
    signed_results: bool = False
    #: Do the operations made for outside tests exist?
    testing: bool = False
    #: What `preset:name` stands for.
    presets: Presets = field(default_factory=dict)
    #: Do renders take one preset and nothing else?
    presets_only: bool = False
