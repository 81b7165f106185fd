"""The sentences themselves, one table a subject; `phrases` says them."""

from __future__ import annotations

from bridge.core.sentences import files, lists, prompts, requests, threads, turns

SENTENCES = {
    **turns.SENTENCES,
    **requests.SENTENCES,
    **prompts.SENTENCES,
    **threads.SENTENCES,
    **lists.SENTENCES,
    **files.SENTENCES,
}
