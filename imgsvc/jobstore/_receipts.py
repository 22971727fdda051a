"""What a job store keeps of requests that came with an Idempotency-Key, so that their repeats are known."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered: its body, or the blob that holds it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    #: The key of the blob that is the body instead, and its bytes.
    blob: str | None = None
    size: int = 0


@dataclass(frozen=True, slots=True)
class Receipt:
    """A request that was done, and its answer."""

    #: The caller's own key; of all requests one has it.
    key: str
    #: Where it went: method and path.
    place: str
    #: A digest of everything else that it meant.
    meaning: str
    #: Milliseconds since the epoch; from `expires_at` on the key is free.
    created_at: int
    expires_at: int
    #: The id of what it made, if anything.
    subject: str | None = None
    #: None where it was lost with the server, between the subject and the answer.
    answer: Answer | None = None
