"""Receipts in a dict."""

from __future__ import annotations

from dataclasses import replace

from imgsvc.errors import IdempotencyKeyInUse
from imgsvc.jobstore._receipts import Answer, Receipt


class Receipts:
    """One for each key."""

    def __init__(self) -> None:
        self._all: dict[str, Receipt] = {}

    def find(self, key: str, now: int) -> Receipt | None:
        """The request that has a key, unless its time is up."""
        receipt = self._all.get(key)
        return receipt if receipt is not None and receipt.expires_at > now else None

    def check(self, receipt: Receipt | None) -> None:
        """Raises IdempotencyKeyInUse where the key is taken."""
        if receipt is not None and self._taken(receipt):
            raise IdempotencyKeyInUse("another request with this Idempotency-Key was faster")

    def keep(self, receipt: Receipt | None, subject: str) -> None:
        """Keep a receipt whose key is free."""
        if receipt is not None:
            self._all[receipt.key] = replace(receipt, subject=subject, answer=None)

    def answered(self, receipt: Receipt, answer: Answer) -> bool:
        """Record an answer, and the receipt with it where it is not kept yet."""
        standing = self._all.get(receipt.key)
        if standing is None or not self._taken(receipt):
            standing = receipt
        elif standing.answer is not None or _request(standing) != _request(receipt):
            return False
        self._all[receipt.key] = replace(standing, answer=answer)
        return True

    def expire(self, now: int, limit: int) -> tuple[int, list[str]]:
        """Remove those whose time is up: how many, and the blob keys of their answers."""
        due = sorted(
            (receipt for receipt in self._all.values() if receipt.expires_at <= now),
            key=lambda receipt: receipt.expires_at,
        )[:limit]
        for receipt in due:
            del self._all[receipt.key]
        return len(due), [found.answer.blob for found in due if found.answer and found.answer.blob]

    def blobs(self) -> set[str | None]:
        """The blob keys of all answers."""
        return {receipt.answer.blob for receipt in self._all.values() if receipt.answer}

    def _taken(self, receipt: Receipt) -> bool:
        return self.find(receipt.key, receipt.created_at) is not None


def _request(receipt: Receipt) -> tuple[object, ...]:
    return receipt.place, receipt.meaning, receipt.created_at
