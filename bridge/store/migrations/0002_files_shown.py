"""When the numbered list of files was shown: a newer answer has other files.

Frozen once released.
"""


def up(migrator, db):  # type: ignore[no-untyped-def]  # the runner's own signature
    """Called by playhouse.migrations inside one transaction."""
    db.execute_sql("ALTER TABLE peer ADD COLUMN files_ms INTEGER NOT NULL DEFAULT 0")
