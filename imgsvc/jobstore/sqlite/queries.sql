-- Every statement that the store runs; {job} and {image} stand for the columns below.

-- image --
images.id, images.sha256, images.key, images.bytes, images.format, images.content_type, images.width, images.height,
images.frames, images.has_alpha, images.created_at, images.kept, images.expires_at

-- job --
jobs.id, jobs.state, jobs.priority, jobs.reference, jobs.batch, jobs.retry_of, jobs.attempts, jobs.max_attempts, jobs.lost,
jobs.drained, jobs.timeout_ms, jobs.not_before, jobs.retention_s, jobs.created_at, jobs.started_at, jobs.finished_at,
jobs.expires_at, jobs.filename, jobs.outputs, jobs.results, jobs.timings, jobs.history, jobs.warnings, jobs.error,
(SELECT json_object(
    'id', id, 'sha256', sha256, 'key', key, 'bytes', bytes, 'format', format, 'content_type', content_type, 'width', width,
    'height', height, 'frames', frames, 'has_alpha', has_alpha, 'created_at', created_at, 'kept', kept,
    'expires_at', expires_at
) FROM images WHERE number = jobs.image) AS image

-- add_image --
INSERT INTO images (
    id, sha256, key, bytes, format, content_type, width, height, frames, has_alpha, created_at, expires_at, kept, brought
) VALUES (
    :id, :sha256, :key, :bytes, :format, :content_type, :width, :height, :frames, :has_alpha, :created_at, :expires_at, 1, 0
)
ON CONFLICT (id) DO UPDATE SET
    key = iif(removed_at IS NULL, key, excluded.key),
    format = iif(removed_at IS NULL, format, excluded.format),
    content_type = iif(removed_at IS NULL, content_type, excluded.content_type),
    width = iif(removed_at IS NULL, width, excluded.width),
    height = iif(removed_at IS NULL, height, excluded.height),
    frames = iif(removed_at IS NULL, frames, excluded.frames),
    has_alpha = iif(removed_at IS NULL, has_alpha, excluded.has_alpha),
    created_at = iif(removed_at IS NULL, created_at, excluded.created_at),
    expires_at = iif(
        removed_at IS NULL AND kept AND (expires_at IS NULL OR expires_at > excluded.expires_at),
        expires_at, excluded.expires_at
    ),
    kept = 1,
    brought = brought AND removed_at IS NULL,
    removed_at = NULL
RETURNING {image}

-- bring_image --
INSERT INTO images (
    id, sha256, key, bytes, format, content_type, width, height, frames, has_alpha, created_at, kept, brought
) VALUES (
    :id, :sha256, :key, :bytes, :format, :content_type, :width, :height, :frames, :has_alpha, :created_at, 0, 1
)
ON CONFLICT (id) DO UPDATE SET
    key = iif(removed_at IS NULL, key, excluded.key),
    format = iif(removed_at IS NULL, format, excluded.format),
    content_type = iif(removed_at IS NULL, content_type, excluded.content_type),
    width = iif(removed_at IS NULL, width, excluded.width),
    height = iif(removed_at IS NULL, height, excluded.height),
    frames = iif(removed_at IS NULL, frames, excluded.frames),
    has_alpha = iif(removed_at IS NULL, has_alpha, excluded.has_alpha),
    created_at = iif(removed_at IS NULL, created_at, excluded.created_at),
    expires_at = iif(kept AND removed_at IS NULL, expires_at, NULL),
    kept = kept AND removed_at IS NULL,
    brought = 1,
    removed_at = NULL
RETURNING number, {image}

-- stored_image --
SELECT number, {image} FROM images WHERE id = :id AND removed_at IS NULL

-- get_image --
SELECT {image} FROM images WHERE id = :id AND removed_at IS NULL

-- list_images --
SELECT {image} FROM images
WHERE removed_at IS NULL AND (created_at, id) < (:created_at, :id)
ORDER BY created_at DESC, id DESC LIMIT :limit

-- image_standing --
SELECT key, needed, removed_at FROM images WHERE id = :id

-- remove_image --
UPDATE images SET removed_at = :now, kept = 0, expires_at = NULL WHERE id = :id

-- add_job --
INSERT INTO jobs (
    id, state, rank, priority, reference, batch, place, retry_of, max_attempts, timeout_ms, not_before, retention_s,
    created_at, image, filename, outputs, timings
) VALUES (
    :id, 'queued', :rank, :priority, :reference, :batch, :place, :retry_of, :max_attempts, :timeout_ms, :not_before,
    :retention_s, :created_at, :image, :filename, :outputs, :timings
)

-- get_job --
SELECT {job} FROM jobs WHERE id = :id

-- was_removed --
SELECT 1 FROM removed WHERE id = :id

-- list_jobs --
SELECT {job} FROM jobs WHERE id < :cursor ORDER BY id DESC LIMIT :limit

-- list_jobs_in_state --
SELECT {job} FROM jobs WHERE state = :state AND id < :cursor ORDER BY id DESC LIMIT :limit

-- list_jobs_of_batch --
SELECT {job} FROM jobs WHERE batch = :batch AND state = :state AND id < :cursor ORDER BY id DESC LIMIT :limit

-- list_jobs_by_reference --
SELECT {job} FROM jobs WHERE reference = :reference AND state = :state AND id < :cursor ORDER BY id DESC LIMIT :limit

-- list_the_member --
SELECT {job} FROM jobs INDEXED BY jobs_referred
WHERE batch = :batch AND reference = :reference AND id < :cursor
    AND state IN (SELECT value FROM json_each(:states))
ORDER BY id DESC LIMIT :limit

-- claim --
UPDATE jobs SET
    state = 'running',
    attempts = attempts + 1,
    started_at = :now,
    not_before = NULL,
    history = json_insert(
        history, '$[#]', json_object('attempt', attempts + 1, 'started_at', :now, 'lane', :lane)
    )
WHERE rowid = (
    SELECT rowid FROM jobs INDEXED BY jobs_line
    WHERE state = 'queued' AND (not_before IS NULL OR not_before <= :now)
    ORDER BY rank, id LIMIT 1
)
RETURNING {job}

-- end --
UPDATE jobs SET
    state = :state,
    results = :results,
    result_bytes = :result_bytes,
    turn = iif(:result_bytes > 0, (SELECT turns + 1 FROM stored WHERE one = 1), NULL),
    error = :error,
    warnings = :warnings,
    timings = json_patch(timings, :timings),
    history = json_set(history, '$[#-1].ended_at', :at, '$[#-1].outcome', :outcome),
    drained = drained + :drained,
    lost = lost + :lost,
    finished_at = :at,
    expires_at = :at + CAST(retention_s * 1000 AS INTEGER)
WHERE id = :id AND state = 'running' AND attempts = :attempt
RETURNING {job}

-- requeue --
UPDATE jobs SET
    state = 'queued',
    history = json_set(history, '$[#-1].ended_at', :at, '$[#-1].outcome', :outcome),
    drained = drained + :drained,
    lost = lost + :lost,
    started_at = NULL,
    not_before = :not_before
WHERE id = :id AND state = 'running' AND attempts = :attempt
RETURNING {job}

-- queued_with --
SELECT {job} FROM jobs
WHERE state = 'queued' AND id > :after AND image = (SELECT number FROM images WHERE id = :image)
ORDER BY id LIMIT :limit

-- fail --
UPDATE jobs SET
    state = 'failed',
    error = :error,
    not_before = NULL,
    finished_at = :now,
    expires_at = :now + CAST(retention_s * 1000 AS INTEGER)
WHERE id = :id AND state = 'queued'
RETURNING {job}

-- cancel --
UPDATE jobs SET
    state = 'canceled',
    history = iif(
        state = 'running', json_set(history, '$[#-1].ended_at', :now, '$[#-1].outcome', 'canceled'), history
    ),
    not_before = NULL,
    finished_at = :now,
    expires_at = :now + CAST(retention_s * 1000 AS INTEGER)
WHERE id = :id AND state IN ('queued', 'running')
RETURNING {job}

-- newest_queued --
SELECT max(id) FROM jobs WHERE state = 'queued'

-- cancel_queued --
UPDATE jobs SET
    state = 'canceled',
    not_before = NULL,
    finished_at = :now,
    expires_at = :now + CAST(retention_s * 1000 AS INTEGER)
WHERE rowid IN (
    SELECT rowid FROM jobs
    WHERE state = 'queued' AND id <= :last AND (:batch IS NULL OR batch = :batch)
    ORDER BY id LIMIT :limit
)
RETURNING {job}

-- give_up_lost --
UPDATE jobs SET
    state = 'failed',
    error = :error,
    lost = lost + 1,
    history = json_set(history, '$[#-1].ended_at', :now, '$[#-1].outcome', 'lost'),
    finished_at = :now,
    expires_at = :now + CAST(retention_s * 1000 AS INTEGER)
WHERE state = 'running' AND lost >= :max_lost
RETURNING {job}

-- requeue_lost --
UPDATE jobs SET
    state = 'queued',
    lost = lost + 1,
    history = json_set(history, '$[#-1].ended_at', :now, '$[#-1].outcome', 'lost'),
    started_at = NULL
WHERE state = 'running'
RETURNING {job}

-- delete_job --
DELETE FROM jobs WHERE id = :id RETURNING {job}

-- expire --
DELETE FROM jobs WHERE rowid IN (
    SELECT rowid FROM jobs INDEXED BY jobs_expiring WHERE expires_at <= :now ORDER BY expires_at LIMIT :limit
)
RETURNING {job}

-- stored --
SELECT results, images FROM stored

-- oldest_results --
SELECT id, result_bytes FROM jobs INDEXED BY jobs_with_results WHERE turn > 0
    AND (batch IS NULL OR batch NOT IN (SELECT value FROM json_each(:spare)))
ORDER BY turn LIMIT :limit

-- newest_result --
SELECT id FROM jobs INDEXED BY jobs_with_results WHERE turn > 0 ORDER BY turn DESC LIMIT 1

-- delete_jobs --
DELETE FROM jobs WHERE id IN (SELECT value FROM json_each(:ids)) RETURNING {job}

-- remember --
INSERT INTO removed (id, removed_at) VALUES (?, ?)

-- line --
SELECT rank, id, priority FROM jobs INDEXED BY jobs_line WHERE state = 'queued' ORDER BY rank, id

-- line_entered --
CREATE TEMP TRIGGER line_entered AFTER INSERT ON main.jobs WHEN NEW.state = 'queued' BEGIN
    SELECT line_change(1, NEW.rank, NEW.id, NEW.priority);
END

-- line_moved --
CREATE TEMP TRIGGER line_moved AFTER UPDATE OF state ON main.jobs WHEN 'queued' IN (OLD.state, NEW.state) BEGIN
    SELECT line_change((NEW.state = 'queued') - (OLD.state = 'queued'), NEW.rank, NEW.id, NEW.priority)
    WHERE OLD.state <> NEW.state;
END

-- line_removed --
CREATE TEMP TRIGGER line_removed AFTER DELETE ON main.jobs WHEN OLD.state = 'queued' BEGIN
    SELECT line_change(-1, OLD.rank, OLD.id, OLD.priority);
END

-- ranks --
SELECT id, rank FROM jobs WHERE id IN (SELECT value FROM json_each(:ids)) AND state = 'queued'

-- backlog --
SELECT
    (SELECT jobs FROM tally WHERE state = 'queued') AS queued,
    (SELECT jobs FROM tally WHERE state = 'running') AS running,
    (SELECT bytes FROM queue) AS bytes,
    (SELECT created_at FROM jobs WHERE state = 'queued' ORDER BY id LIMIT 1) AS oldest

-- counts --
SELECT state, jobs FROM tally

-- last_ranks --
SELECT value AS priority, (SELECT max(rank) FROM jobs WHERE state = 'queued' AND priority = value) AS last
FROM json_each(:priorities) WHERE last IS NOT NULL

-- hasten --
UPDATE jobs INDEXED BY jobs_delayed SET not_before = NULL
WHERE state = 'queued' AND not_before IS NOT NULL AND not_before > :latest

-- next_start --
SELECT min(not_before) FROM jobs INDEXED BY jobs_delayed
WHERE state = 'queued' AND not_before IS NOT NULL AND not_before > :now

-- next_expiry --
SELECT min(expires_at) FROM jobs INDEXED BY jobs_expiring WHERE expires_at IS NOT NULL
UNION ALL
SELECT min(expires_at) FROM images INDEXED BY images_expiring
WHERE removed_at IS NULL AND kept AND expires_at IS NOT NULL
UNION ALL
SELECT min(expires_at) FROM batches INDEXED BY batches_expiring WHERE removed_at IS NULL AND expires_at IS NOT NULL

-- let_go --
UPDATE images SET kept = 0, expires_at = iif(brought, NULL, expires_at)
WHERE number IN (
    SELECT number FROM images INDEXED BY images_expiring
    WHERE removed_at IS NULL AND kept AND expires_at IS NOT NULL AND expires_at <= :now LIMIT :limit
)

-- remove_unneeded --
UPDATE images SET removed_at = :now, expires_at = NULL
WHERE number IN (
    SELECT number FROM images INDEXED BY images_unneeded
    WHERE removed_at IS NULL AND NOT kept AND NOT (brought AND jobs) AND NOT needed LIMIT :limit
)
RETURNING key

-- image_names --
SELECT 1 FROM images WHERE id = :owner AND key = :key AND removed_at IS NULL

-- result_names --
SELECT 1 FROM jobs, json_each(jobs.results) AS result WHERE jobs.id = :owner AND result.value ->> 'key' = :key

-- forget_jobs --
DELETE FROM removed WHERE id IN (SELECT id FROM removed WHERE removed_at < :then LIMIT :limit)

-- forget_images --
DELETE FROM images WHERE number IN (
    SELECT number FROM images INDEXED BY images_removed
    WHERE removed_at IS NOT NULL AND NOT jobs AND removed_at < :then LIMIT :limit
)

-- get_receipt --
SELECT key, place, meaning, subject, created_at, expires_at, status, headers, body, blob, size
FROM receipts WHERE key = :key AND expires_at > :now

-- keep_receipt --
INSERT INTO receipts (key, place, meaning, subject, created_at, expires_at)
VALUES (:key, :place, :meaning, :subject, :created_at, :expires_at)
ON CONFLICT (key) DO UPDATE SET
    place = excluded.place,
    meaning = excluded.meaning,
    subject = excluded.subject,
    created_at = excluded.created_at,
    expires_at = excluded.expires_at,
    status = NULL,
    headers = NULL,
    body = NULL,
    blob = NULL,
    size = NULL
WHERE receipts.expires_at <= excluded.created_at

-- answer_receipt --
UPDATE receipts SET status = :status, headers = :headers, body = :body, blob = :blob, size = :size
WHERE key = :key AND place = :place AND meaning = :meaning AND created_at = :created_at AND status IS NULL

-- expire_receipts --
DELETE FROM receipts WHERE rowid IN (
    SELECT rowid FROM receipts INDEXED BY receipts_expiring WHERE expires_at <= :now ORDER BY expires_at LIMIT :limit
)
RETURNING blob

-- answer_names --
SELECT 1 FROM receipts WHERE blob = :key

-- paused --
SELECT paused FROM queue

-- set_paused --
UPDATE queue SET paused = :paused

-- ping --
SELECT 1 FROM queue
