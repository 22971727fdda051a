-- Images and jobs, and what keeps their counts right whoever changes a row.

CREATE TABLE images (
    number       INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    sha256       TEXT NOT NULL,
    key          TEXT NOT NULL,
    bytes        INTEGER NOT NULL,
    format       TEXT NOT NULL,
    content_type TEXT NOT NULL,
    width        INTEGER NOT NULL,
    height       INTEGER NOT NULL,
    frames       INTEGER NOT NULL,
    has_alpha    INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    kept         INTEGER NOT NULL,            -- for its own sake, until expires_at
    brought      INTEGER NOT NULL,            -- by jobs: it stays while one of its jobs is there
    jobs         INTEGER NOT NULL DEFAULT 0,  -- that have it, ended ones too
    needed       INTEGER NOT NULL DEFAULT 0,  -- of these, queued or running
    removed_at   INTEGER,                     -- gone, but remembered, and shown by the jobs that had it
    CHECK (needed BETWEEN 0 AND jobs),
    CHECK (removed_at IS NULL OR needed = 0)
) STRICT;

CREATE INDEX images_newest ON images (created_at, id) WHERE removed_at IS NULL;
CREATE INDEX images_expiring ON images (expires_at) WHERE removed_at IS NULL AND kept AND expires_at IS NOT NULL;
CREATE INDEX images_unneeded ON images (number) WHERE removed_at IS NULL AND NOT kept AND NOT (brought AND jobs);
CREATE INDEX images_removed ON images (removed_at) WHERE removed_at IS NOT NULL AND NOT jobs;

CREATE TABLE jobs (
    id           TEXT NOT NULL PRIMARY KEY,
    state        TEXT NOT NULL,
    rank         INTEGER NOT NULL,  -- its place in the line, with its id
    priority     TEXT NOT NULL,
    reference    TEXT,
    batch        TEXT,
    retry_of     TEXT,
    attempts     INTEGER NOT NULL DEFAULT 0,
    max_attempts INTEGER NOT NULL,
    lost         INTEGER NOT NULL DEFAULT 0,
    drained      INTEGER NOT NULL DEFAULT 0,
    timeout_ms   INTEGER NOT NULL,
    not_before   INTEGER,
    retention_s  REAL NOT NULL,
    created_at   INTEGER NOT NULL,
    started_at   INTEGER,
    finished_at  INTEGER,
    expires_at   INTEGER,
    image        INTEGER NOT NULL,  -- images.number
    filename     TEXT,
    outputs      TEXT NOT NULL,
    results      TEXT NOT NULL DEFAULT '[]',
    timings      TEXT NOT NULL,
    history      TEXT NOT NULL DEFAULT '[]',
    warnings     TEXT NOT NULL DEFAULT '[]',
    error        TEXT,
    CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'canceled')),
    CHECK ((state IN ('queued', 'running')) = (finished_at IS NULL)),
    CHECK ((finished_at IS NULL) = (expires_at IS NULL)),
    CHECK (not_before IS NULL OR state = 'queued'),
    CHECK (state <> 'running' OR attempts > 0)
) STRICT;

-- The line: a claim takes the first entry whose time has come.
CREATE INDEX jobs_line ON jobs (rank, id, not_before) WHERE state = 'queued';
CREATE INDEX jobs_delayed ON jobs (not_before) WHERE state = 'queued' AND not_before IS NOT NULL;
CREATE INDEX jobs_by_state ON jobs (state, id);
CREATE INDEX jobs_by_batch ON jobs (batch, state, id) WHERE batch IS NOT NULL;
CREATE INDEX jobs_by_reference ON jobs (reference, id) WHERE reference IS NOT NULL;
CREATE INDEX jobs_expiring ON jobs (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE removed (
    id         TEXT NOT NULL PRIMARY KEY,  -- of a job
    removed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX removed_by_time ON removed (removed_at);

-- How many jobs are in each state: kept by the triggers below, in the transaction of the change itself.
CREATE TABLE tally (
    state TEXT NOT NULL PRIMARY KEY,
    jobs  INTEGER NOT NULL CHECK (jobs >= 0)
) STRICT, WITHOUT ROWID;

INSERT INTO tally VALUES ('queued', 0), ('running', 0), ('succeeded', 0), ('failed', 0), ('canceled', 0);

CREATE TABLE queue (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    paused INTEGER NOT NULL,
    bytes  INTEGER NOT NULL CHECK (bytes >= 0)  -- of the distinct images that queued and running jobs need
) STRICT;

INSERT INTO queue VALUES (1, 0, 0);

CREATE TRIGGER job_added AFTER INSERT ON jobs BEGIN
    UPDATE tally SET jobs = jobs + 1 WHERE state = NEW.state;
    UPDATE images SET jobs = jobs + 1, needed = needed + (NEW.finished_at IS NULL) WHERE number = NEW.image;
END;

-- jobs.TRANSITIONS, once more where nothing gets past it.
CREATE TRIGGER job_transition BEFORE UPDATE OF state ON jobs
WHEN OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (VALUES
    ('queued', 'running'), ('queued', 'failed'), ('queued', 'canceled'),
    ('running', 'succeeded'), ('running', 'failed'), ('running', 'canceled'), ('running', 'queued'))
BEGIN
    SELECT RAISE(ABORT, 'impossible transition');
END;

CREATE TRIGGER job_moved AFTER UPDATE OF state ON jobs WHEN OLD.state <> NEW.state BEGIN
    UPDATE tally SET jobs = jobs + iif(state = NEW.state, 1, -1) WHERE state IN (OLD.state, NEW.state);
    UPDATE images SET needed = needed - 1 WHERE number = NEW.image AND NEW.finished_at IS NOT NULL;
END;

CREATE TRIGGER job_removed AFTER DELETE ON jobs BEGIN
    UPDATE tally SET jobs = jobs - 1 WHERE state = OLD.state;
    UPDATE images SET jobs = jobs - 1, needed = needed - (OLD.finished_at IS NULL) WHERE number = OLD.image;
END;

CREATE TRIGGER image_needed AFTER UPDATE OF needed ON images WHEN OLD.needed = 0 AND NEW.needed > 0 BEGIN
    UPDATE queue SET bytes = bytes + NEW.bytes;
END;

CREATE TRIGGER image_released AFTER UPDATE OF needed ON images WHEN OLD.needed > 0 AND NEW.needed = 0 BEGIN
    UPDATE queue SET bytes = bytes - NEW.bytes;
END;

CREATE TRIGGER image_shown BEFORE DELETE ON images WHEN OLD.jobs > 0 BEGIN
    SELECT RAISE(ABORT, 'jobs still show this image');
END;
