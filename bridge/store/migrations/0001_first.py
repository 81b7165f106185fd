"""The first tables: account, peer, inbox, alias, turn, outbox, attempts, audit, meta.

Frozen once released. What each column means stands in `bridge/store/tables.py`.
`AUTOINCREMENT` where order is an id: a freed id is never given again in this file.
"""

STATEMENTS = (
    """CREATE TABLE account (
        channel TEXT PRIMARY KEY,
        bot_id TEXT NOT NULL,
        owners TEXT NOT NULL,
        generation INTEGER NOT NULL,
        owner_epoch INTEGER NOT NULL,
        paired_at_ms INTEGER NOT NULL,
        cursor TEXT NOT NULL,
        state TEXT NOT NULL,
        breaker_until_ms INTEGER NOT NULL,
        probe_no INTEGER NOT NULL,
        unconfirmed_run INTEGER NOT NULL,
        rest_reason TEXT NOT NULL,
        rest_since_ms INTEGER NOT NULL
    )""",
    """CREATE TABLE peer (
        peer TEXT PRIMARY KEY,
        lang TEXT NOT NULL,
        active TEXT,
        confirmation TEXT NOT NULL,
        listed TEXT NOT NULL,
        more_turn INTEGER,
        more_next INTEGER NOT NULL,
        context_token TEXT NOT NULL,
        token_generation INTEGER NOT NULL,
        token_time_ms INTEGER NOT NULL,
        wrote_ms INTEGER NOT NULL,
        is_announced INTEGER NOT NULL
    )""",
    """CREATE TABLE inbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        channel TEXT NOT NULL,
        peer TEXT NOT NULL,
        msg_key TEXT NOT NULL,
        body_hash TEXT NOT NULL,
        create_time_ms INTEGER NOT NULL,
        received_ms INTEGER NOT NULL,
        age_ms INTEGER NOT NULL,
        parts TEXT NOT NULL,
        quoted_id TEXT NOT NULL,
        quoted_text TEXT NOT NULL,
        is_cut INTEGER NOT NULL,
        is_released INTEGER NOT NULL,
        state TEXT NOT NULL,
        outcome TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        turn INTEGER,
        done_ms INTEGER NOT NULL
    )""",
    "CREATE UNIQUE INDEX inbox_key ON inbox (channel, peer, msg_key)",
    "CREATE INDEX inbox_twin ON inbox (peer, create_time_ms, body_hash)",
    "CREATE INDEX inbox_open ON inbox (state, id) WHERE state IN ('new', 'held')",
    """CREATE TABLE alias (
        name TEXT PRIMARY KEY,
        skeleton TEXT NOT NULL UNIQUE,
        thread TEXT NOT NULL,
        cwd TEXT NOT NULL,
        title TEXT NOT NULL,
        sandbox TEXT NOT NULL,
        approval_policy TEXT NOT NULL,
        model TEXT NOT NULL,
        effort TEXT NOT NULL,
        seen_head TEXT NOT NULL
    )""",
    """CREATE TABLE turn (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL UNIQUE,
        channel TEXT NOT NULL,
        peer TEXT NOT NULL,
        thread TEXT NOT NULL,
        alias TEXT NOT NULL,
        prompt TEXT NOT NULL,
        cwd TEXT NOT NULL,
        sandbox TEXT NOT NULL,
        approval_policy TEXT NOT NULL,
        model TEXT NOT NULL,
        effort TEXT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        expected_head TEXT,
        seen_head TEXT NOT NULL,
        run TEXT,
        lock_token TEXT,
        retry_at_ms INTEGER NOT NULL,
        tries INTEGER NOT NULL,
        stop_requested INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        owes TEXT NOT NULL,
        result TEXT NOT NULL,
        cuts TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        started_ms INTEGER NOT NULL,
        ended_ms INTEGER NOT NULL
    )""",
    """CREATE UNIQUE INDEX turn_live ON turn (thread)
        WHERE state IN ('starting', 'running', 'settling')""",
    "CREATE INDEX turn_open ON turn (thread, id) WHERE state != 'done'",
    "CREATE INDEX turn_last ON turn (peer, ended_ms) WHERE state = 'done'",
    """CREATE TABLE outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        peer TEXT NOT NULL,
        send_class INTEGER NOT NULL,
        grp TEXT NOT NULL,
        part INTEGER NOT NULL,
        parts INTEGER NOT NULL,
        text TEXT NOT NULL,
        client_id TEXT NOT NULL UNIQUE,
        turn INTEGER,
        state TEXT NOT NULL,
        outcome TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        not_before_ms INTEGER NOT NULL,
        tries INTEGER NOT NULL,
        fails INTEGER NOT NULL,
        maybe_sent INTEGER NOT NULL,
        server_id TEXT NOT NULL,
        done_ms INTEGER NOT NULL
    )""",
    "CREATE INDEX outbox_open ON outbox (peer, send_class, id) WHERE state != 'done'",
    "CREATE INDEX outbox_server ON outbox (server_id) WHERE server_id != ''",
    "CREATE INDEX outbox_turn ON outbox (turn) WHERE turn IS NOT NULL",
    """CREATE TABLE outbox_attempt (
        id TEXT PRIMARY KEY,
        row INTEGER NOT NULL REFERENCES outbox (id),
        peer TEXT NOT NULL,
        instance TEXT NOT NULL,
        started_ms INTEGER NOT NULL,
        outcome TEXT NOT NULL
    )""",
    "CREATE INDEX attempt_window ON outbox_attempt (peer, started_ms)",
    """CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at_ms INTEGER NOT NULL,
        peer TEXT NOT NULL,
        what TEXT NOT NULL,
        rule TEXT NOT NULL,
        outcome TEXT NOT NULL,
        subject TEXT NOT NULL
    )""",
    """CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'audit lines are never changed'); END""",
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
)


def up(migrator, db):  # type: ignore[no-untyped-def]  # the runner's own signature
    """Called by playhouse.migrations inside one transaction."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
