"""Which rule stands behind a refusal, a hold or a withholding, by the sentence that told it.

The audit keeps one line of each; `/why` says the last one in words, with the next step.
"""

from __future__ import annotations

from bridge.core.decision import Audit, Refused
from bridge.core.model import Lang
from bridge.core.phrases import age, notice, say

_BEHIND: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "threat-model R30",
        "because_thread",
        (
            "no_thread",
            "no_alias",
            "no_number",
            "bad_thread_id",
            "unknown_thread",
            "quote_may_answer",
        ),
    ),
    ("threat-model R11", "because_name", ("bad_alias", "alias_like", "name_taken")),
    ("threat-model R11", "because_command", ("usage", "unknown_verb", "unknown_path")),
    ("threat-model R9", "because_size", ("cut",)),
    ("design 7", "because_kind", ("empty", "unsupported")),
    ("design 7", "because_confirm", ("nothing_to_confirm",)),
    (
        "design 7",
        "because_number",
        ("no_file_number", "no_result", "no_turn", "not_waiting"),
    ),
    ("design 7", "because_folder", ("no_folder", "which_folder", "folder_too_wide")),
    ("threat-model R29", "because_code", ("code_unknown", "code_stale", "agent_question_over")),
    (
        "threat-model R29",
        "because_verdict",
        ("question_needs_answer", "request_is_none", "no_such_choice"),
    ),
    ("threat-model R29", "because_deadline", ("approval_expired",)),
    ("threat-model R29", "because_desk", ("at_desk",)),
    ("threat-model R30", "because_head", ("head_moved",)),
    ("delivery-semantics 6", "because_lock", ("recover_ours", "recover_elsewhere")),
    (
        "delivery-semantics 6",
        "because_steer",
        ("steer_over", "steer_soon", "steer_lacks", "steer_refused"),
    ),
    (
        "controller-contract 1",
        "because_controller",
        ("cannot_list", "cannot_read", "cannot_fork", "recover_failed"),
    ),
    (
        "threat-model R5",
        "because_group",
        ("group_off", "group_thread", "group_folder", "group_unknown", "group_unchanged"),
    ),
    ("threat-model R23", "because_file", ("not_sent",)),
    ("threat-model R25", "because_doubt", ("not_sent_asks",)),
    ("threat-model R8", "because_stale", ("stale", "stale_slept")),
    ("delivery-semantics 9", "because_queue", ("queue_full",)),
    ("delivery-semantics 9", "because_poison", ("poison",)),
    ("delivery-semantics 5", "because_window", ("rest_waits",)),
    ("delivery-semantics 8", "because_login", ("results_waiting",)),
)
_OF = {told: (rule, because) for rule, because, phrases in _BEHIND for told in phrases}


def line(what: str, told: str, subject: str = "") -> tuple[Audit, ...]:
    """The audit line of a sentence that refuses, holds or withholds; none of any other."""
    found = _OF.get(told)
    return (Audit(what, found[0], told, subject),) if found else ()


def why(last: Refused | None, lang: Lang, now_ms: int) -> str:
    """The rule behind what was not done last, in words, and what can be done about it."""
    if last is None:
        return notice("why_nothing", lang)
    _, because = _OF.get(last.told, ("", ""))
    words = say(because, lang) if because else say("because_other", lang, rule=last.rule)
    return notice("why_then", lang, age=age(now_ms - last.at_ms, lang), because=words)
