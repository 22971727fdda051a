-- The statements about batches, and about jobs as members of them.

-- batch --
id, name, priority, retention_s, most, created_at, closed_at, canceled_at, expires_at, queued, running, succeeded, failed,
canceled

-- add_batch --
INSERT INTO batches (id, name, priority, retention_s, most, created_at, expires_at)
VALUES (:id, :name, :priority, :retention_s, :limit, :created_at, :expires_at)

-- get_batch --
SELECT {batch}, joined, removed_at FROM batches WHERE id = :id

-- list_batches --
SELECT {batch} FROM batches INDEXED BY batches_newest
WHERE removed_at IS NULL AND id < :cursor ORDER BY id DESC LIMIT :limit

-- top_batches --
SELECT {batch} FROM batches INDEXED BY batches_waiting
WHERE removed_at IS NULL AND queued > 0 ORDER BY queued DESC, id DESC LIMIT :limit

-- member --
SELECT {job} FROM jobs WHERE batch = :batch AND reference = :reference

-- failures --
SELECT id AS job, reference, filename, error FROM jobs
WHERE batch = :batch AND state = 'failed' ORDER BY id LIMIT :limit

-- batch_results --
SELECT place, {job} FROM jobs INDEXED BY jobs_in_order
WHERE batch = :batch AND place > :after AND state = 'succeeded' ORDER BY place LIMIT :limit

-- close_batch --
UPDATE batches SET closed_at = :now WHERE id = :id AND removed_at IS NULL AND closed_at IS NULL

-- cancel_batch --
UPDATE batches SET canceled_at = :now, closed_at = ifnull(closed_at, :now)
WHERE id = :id AND removed_at IS NULL AND canceled_at IS NULL AND (closed_at IS NULL OR queued + running > 0)

-- remove_batch --
UPDATE batches SET removed_at = :now, expires_at = NULL WHERE id = :id

-- delete_members --
DELETE FROM jobs WHERE rowid IN (
    SELECT rowid FROM jobs INDEXED BY jobs_in_order WHERE batch = :batch ORDER BY place LIMIT :limit
)
RETURNING {job}

-- interrupted_batches --
SELECT id, removed_at IS NOT NULL FROM batches INDEXED BY batches_interrupted
WHERE (canceled_at IS NOT NULL AND queued + running > 0) OR (removed_at IS NOT NULL AND jobs > 0)
ORDER BY id

-- let_batches_go --
UPDATE batches SET expires_at = :now + iif(closed_at IS NULL OR NOT joined, CAST(retention_s * 1000 AS INTEGER), 0)
WHERE id IN (
    SELECT id FROM batches INDEXED BY batches_emptied
    WHERE removed_at IS NULL AND jobs = 0 AND expires_at IS NULL LIMIT :limit
)

-- expire_batches --
UPDATE batches SET removed_at = :now, expires_at = NULL
WHERE id IN (
    SELECT id FROM batches INDEXED BY batches_expiring
    WHERE removed_at IS NULL AND expires_at IS NOT NULL AND expires_at <= :now LIMIT :limit
)

-- forget_batches --
DELETE FROM batches WHERE id IN (
    SELECT id FROM batches INDEXED BY batches_removed
    WHERE removed_at IS NOT NULL AND jobs = 0 AND removed_at < :then LIMIT :limit
)

-- place_to_take --
SELECT place FROM jobs
WHERE id = :id AND batch = :batch AND state IN ('failed', 'canceled')
    AND EXISTS (SELECT 1 FROM batches WHERE id = :batch AND removed_at IS NULL AND canceled_at IS NULL)

-- leave_batch --
UPDATE jobs SET batch = NULL, place = NULL WHERE id = :id

-- add_failed_job --
INSERT INTO jobs (
    id, state, rank, priority, reference, batch, place, retry_of, max_attempts, timeout_ms, retention_s, created_at,
    finished_at, expires_at, image, filename, outputs, timings, error
) VALUES (
    :id, 'failed', 0, :priority, :reference, :batch, :place, :retry_of, :max_attempts, :timeout_ms, :retention_s,
    :created_at, :finished_at, :expires_at, :image, :filename, :outputs, :timings, :error
)

-- mention_image --
INSERT INTO images (
    id, sha256, key, bytes, format, content_type, width, height, frames, has_alpha, created_at, kept, brought, removed_at
) VALUES (
    :id, :sha256, :key, :bytes, :format, :content_type, :width, :height, :frames, :has_alpha, :created_at, 0, 0, :created_at
)
ON CONFLICT (id) DO UPDATE SET id = id
RETURNING number, {image}
