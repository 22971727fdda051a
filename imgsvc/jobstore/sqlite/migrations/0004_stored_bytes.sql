-- Bytes of results and images, kept right whoever changes a row; the order in which results make room; and lists by
-- reference and state that do not grow with the history of a reference.

ALTER TABLE jobs ADD COLUMN result_bytes INTEGER NOT NULL DEFAULT 0 CHECK (result_bytes >= 0);

UPDATE jobs SET result_bytes = (SELECT coalesce(sum(value ->> 'bytes'), 0) FROM json_each(results))
WHERE results <> '[]';

-- Results make room in the order in which they were recorded: a clock that was set back would send the newest first.
ALTER TABLE jobs ADD COLUMN turn INTEGER;

UPDATE jobs SET turn = numbered.turn
FROM (SELECT id, row_number() OVER (ORDER BY finished_at, id) AS turn FROM jobs WHERE result_bytes > 0) AS numbered
WHERE jobs.id = numbered.id;

CREATE INDEX jobs_with_results ON jobs (turn) WHERE turn IS NOT NULL;

DROP INDEX jobs_by_reference;
CREATE INDEX jobs_by_reference ON jobs (reference, state, id) WHERE reference IS NOT NULL;

CREATE TABLE stored (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    results INTEGER NOT NULL CHECK (results >= 0),
    images  INTEGER NOT NULL CHECK (images >= 0),  -- of those that are there
    turns   INTEGER NOT NULL                       -- the last turn that was given
) STRICT;

INSERT INTO stored SELECT
    1,
    (SELECT coalesce(sum(result_bytes), 0) FROM jobs),
    (SELECT coalesce(sum(bytes), 0) FROM images WHERE removed_at IS NULL),
    (SELECT coalesce(max(turn), 0) FROM jobs);

CREATE TRIGGER results_added AFTER INSERT ON jobs WHEN NEW.result_bytes > 0 BEGIN
    UPDATE stored SET results = results + NEW.result_bytes, turns = max(turns, coalesce(NEW.turn, 0));
END;

CREATE TRIGGER results_changed AFTER UPDATE OF result_bytes ON jobs WHEN OLD.result_bytes <> NEW.result_bytes BEGIN
    UPDATE stored SET
        results = results + NEW.result_bytes - OLD.result_bytes,
        turns = max(turns, coalesce(NEW.turn, 0));
END;

CREATE TRIGGER results_removed AFTER DELETE ON jobs WHEN OLD.result_bytes > 0 BEGIN
    UPDATE stored SET results = results - OLD.result_bytes;
END;

CREATE TRIGGER image_stored AFTER INSERT ON images WHEN NEW.removed_at IS NULL BEGIN
    UPDATE stored SET images = images + NEW.bytes;
END;

CREATE TRIGGER image_gone_or_back AFTER UPDATE OF removed_at ON images
WHEN (OLD.removed_at IS NULL) <> (NEW.removed_at IS NULL) BEGIN
    UPDATE stored SET images = images + iif(NEW.removed_at IS NULL, NEW.bytes, -NEW.bytes);
END;

CREATE TRIGGER image_forgotten AFTER DELETE ON images WHEN OLD.removed_at IS NULL BEGIN
    UPDATE stored SET images = images - OLD.bytes;
END;
