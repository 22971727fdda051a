-- Batches, and what keeps their counts right whoever changes a job.

CREATE TABLE batches (
    id          TEXT NOT NULL PRIMARY KEY,
    name        TEXT,
    priority    TEXT NOT NULL,
    retention_s REAL NOT NULL,
    most        INTEGER NOT NULL,            -- jobs that it may have
    created_at  INTEGER NOT NULL,
    closed_at   INTEGER,
    canceled_at INTEGER,
    expires_at  INTEGER,                     -- only while it has no jobs
    removed_at  INTEGER,                     -- gone, but remembered
    joined      INTEGER NOT NULL DEFAULT 0,  -- jobs that ever joined: the place of the last one
    jobs        INTEGER NOT NULL DEFAULT 0,  -- that are there
    queued      INTEGER NOT NULL DEFAULT 0,
    running     INTEGER NOT NULL DEFAULT 0,
    succeeded   INTEGER NOT NULL DEFAULT 0,
    failed      INTEGER NOT NULL DEFAULT 0,
    canceled    INTEGER NOT NULL DEFAULT 0,
    CHECK (min(queued, running, succeeded, failed, canceled) >= 0),
    CHECK (jobs = queued + running + succeeded + failed + canceled),
    CHECK (jobs <= joined),
    CHECK (canceled_at IS NULL OR closed_at IS NOT NULL)
) STRICT;

CREATE INDEX batches_newest ON batches (id) WHERE removed_at IS NULL;
CREATE INDEX batches_waiting ON batches (queued, id) WHERE removed_at IS NULL AND queued > 0;
CREATE INDEX batches_emptied ON batches (id) WHERE removed_at IS NULL AND jobs = 0 AND expires_at IS NULL;
CREATE INDEX batches_expiring ON batches (expires_at) WHERE removed_at IS NULL AND expires_at IS NOT NULL;
CREATE INDEX batches_interrupted ON batches (id)
WHERE (canceled_at IS NOT NULL AND queued + running > 0) OR (removed_at IS NOT NULL AND jobs > 0);
CREATE INDEX batches_removed ON batches (removed_at) WHERE removed_at IS NOT NULL AND jobs = 0;

-- In the order in which they joined, which clocks and ids do not tell for sure.
ALTER TABLE jobs ADD COLUMN place INTEGER;
CREATE INDEX jobs_in_order ON jobs (batch, place) WHERE batch IS NOT NULL;
-- A reference is unique in its batch.
CREATE UNIQUE INDEX jobs_referred ON jobs (batch, reference) WHERE batch IS NOT NULL AND reference IS NOT NULL;

CREATE TRIGGER job_joined AFTER INSERT ON jobs WHEN NEW.batch IS NOT NULL BEGIN
    UPDATE batches SET
        jobs = jobs + 1,
        joined = joined + 1,
        queued = queued + (NEW.state = 'queued'),
        failed = failed + (NEW.state = 'failed'),
        expires_at = NULL
    WHERE id = NEW.batch;
END;

CREATE TRIGGER member_moved AFTER UPDATE OF state ON jobs WHEN NEW.batch IS NOT NULL AND OLD.state <> NEW.state BEGIN
    UPDATE batches SET
        queued = queued + (NEW.state = 'queued') - (OLD.state = 'queued'),
        running = running + (NEW.state = 'running') - (OLD.state = 'running'),
        succeeded = succeeded + (NEW.state = 'succeeded') - (OLD.state = 'succeeded'),
        failed = failed + (NEW.state = 'failed') - (OLD.state = 'failed'),
        canceled = canceled + (NEW.state = 'canceled') - (OLD.state = 'canceled')
    WHERE id = NEW.batch;
END;

-- Another try has taken its place.
CREATE TRIGGER job_replaced AFTER UPDATE OF batch ON jobs WHEN OLD.batch IS NOT NULL AND NEW.batch IS NULL BEGIN
    UPDATE batches SET
        jobs = jobs - 1,
        failed = failed - (OLD.state = 'failed'),
        canceled = canceled - (OLD.state = 'canceled')
    WHERE id = OLD.batch;
END;

CREATE TRIGGER job_left AFTER DELETE ON jobs WHEN OLD.batch IS NOT NULL BEGIN
    UPDATE batches SET
        jobs = jobs - 1,
        queued = queued - (OLD.state = 'queued'),
        running = running - (OLD.state = 'running'),
        succeeded = succeeded - (OLD.state = 'succeeded'),
        failed = failed - (OLD.state = 'failed'),
        canceled = canceled - (OLD.state = 'canceled')
    WHERE id = OLD.batch;
END;
