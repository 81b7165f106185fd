"""The sentences themselves, one table a subject; `phrases` says them."""

from __future__ import annotations

from bridge.core.sentences import (
    files,
    groups,
    lists,
    past,
    prompts,
    requests,
    rules,
    threads,
    turns,
)

TABLES = (
    turns.SENTENCES,
    requests.SENTENCES,
    prompts.SENTENCES,
    threads.SENTENCES,
    files.SENTENCES,
    lists.SENTENCES,
    rules.SENTENCES,
    past.SENTENCES,
    groups.SENTENCES,
)
SENTENCES = {name: pair for table in TABLES for name, pair in table.items()}
