"""Receipts in the database: read, kept with what they are for, answered and removed."""

from __future__ import annotations

import sqlite3

import orjson

from imgsvc.errors import IdempotencyKeyInUse
from imgsvc.jobstore._receipts import Answer, Receipt
from imgsvc.jobstore.sqlite.queries import SQL


def find(connection: sqlite3.Connection, key: str, now: int) -> Receipt | None:
    """The request that has a key, unless its time is up."""
    row = connection.execute(SQL["get_receipt"], {"key": key, "now": now}).fetchone()
    if row is None:
        return None
    return Receipt(
        key=row["key"],
        place=row["place"],
        meaning=row["meaning"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        subject=row["subject"],
        answer=None if row["status"] is None else _answer(row),
    )


def keep(connection: sqlite3.Connection, receipt: Receipt | None, subject: str) -> None:
    """Keep the receipt of a request that makes `subject`; raises IdempotencyKeyInUse before it writes."""
    if receipt is not None and not _keep(connection, receipt, subject):
        raise IdempotencyKeyInUse("another request with this Idempotency-Key was faster")


def answered(connection: sqlite3.Connection, receipt: Receipt, answer: Answer) -> bool:
    """Record an answer, and the receipt with it where it is not kept yet."""
    values = {
        "key": receipt.key,
        "place": receipt.place,
        "meaning": receipt.meaning,
        "created_at": receipt.created_at,
        "status": answer.status,
        "headers": orjson.dumps(answer.headers).decode(),
        "body": answer.body,
        "blob": answer.blob,
        "size": None if answer.blob is None else answer.size,
    }
    if connection.execute(SQL["answer_receipt"], values).rowcount:
        return True
    if not _keep(connection, receipt, receipt.subject):
        return False
    return connection.execute(SQL["answer_receipt"], values).rowcount == 1


def expire(connection: sqlite3.Connection, now: int, limit: int) -> tuple[int, list[str]]:
    """Remove receipts whose time is up: how many, and the blob keys of their answers."""
    rows = connection.execute(SQL["expire_receipts"], {"now": now, "limit": limit}).fetchall()
    return len(rows), [str(row["blob"]) for row in rows if row["blob"] is not None]


def _keep(connection: sqlite3.Connection, receipt: Receipt, subject: str | None) -> bool:
    values = {
        "key": receipt.key,
        "place": receipt.place,
        "meaning": receipt.meaning,
        "subject": subject,
        "created_at": receipt.created_at,
        "expires_at": receipt.expires_at,
    }
    return connection.execute(SQL["keep_receipt"], values).rowcount == 1


def _answer(row: sqlite3.Row) -> Answer:
    return Answer(
        status=row["status"],
        headers=tuple((name, value) for name, value in orjson.loads(row["headers"])),
        body=row["body"],
        blob=row["blob"],
        size=row["size"] or 0,
    )
