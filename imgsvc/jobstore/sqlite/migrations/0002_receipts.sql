-- Requests that came with an Idempotency-Key, and what they were answered.

CREATE TABLE receipts (
    key        TEXT NOT NULL UNIQUE,  -- the caller's
    place      TEXT NOT NULL,         -- method and path
    meaning    TEXT NOT NULL,         -- a digest of everything else that it meant
    subject    TEXT,                  -- the id of what it made
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    status     INTEGER,               -- of its answer; NULL: none was recorded
    headers    TEXT,
    body       BLOB,
    blob       TEXT,                  -- the key of the blob that is the body instead
    size       INTEGER,               -- of that blob
    CHECK ((status IS NULL) = (headers IS NULL)),
    CHECK ((status IS NULL) = (body IS NULL)),
    CHECK ((blob IS NULL) = (size IS NULL)),
    CHECK (blob IS NULL OR status IS NOT NULL)
) STRICT;

CREATE INDEX receipts_expiring ON receipts (expires_at);
CREATE INDEX receipts_blobs ON receipts (blob) WHERE blob IS NOT NULL;
