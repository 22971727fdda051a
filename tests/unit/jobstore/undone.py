"""The way back from the newest schema to the one before, for tests of the way there."""

from __future__ import annotations

#: Back to the schema before bytes of results were counted.
UNDONE = (
    "DROP INDEX jobs_with_results",
    "DROP INDEX jobs_by_reference",
    "CREATE INDEX jobs_by_reference ON jobs (reference, id) WHERE reference IS NOT NULL",
    *[
        f"DROP TRIGGER {name}"
        for name in (
            "results_added",
            "results_changed",
            "results_removed",
            "image_stored",
            "image_gone_or_back",
            "image_forgotten",
        )
    ],
    "DROP TABLE stored",
    "ALTER TABLE jobs DROP COLUMN turn",
    "ALTER TABLE jobs DROP COLUMN result_bytes",
    "PRAGMA user_version = 3",
)
