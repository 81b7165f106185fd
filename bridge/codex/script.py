"""What a message asks the echo engine to do: one marker a line, run in order. Pure.

    sleep:SECONDS      wait              reply:TEXT         answer TEXT
    long:N             answer N signs    fail:REASON        the turn fails
    approve:COMMAND    ask to run it     change:PATH        ask to change a file
    ask:QUESTION       ask yes or no     file:PATH[=TEXT]   write a file in the folder

Without a marker the answer is `echo: <message>`.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_LONG_CHARS = 5_000_000  # `long:` is for testing limits, not memory
WAITS = {"approve": "command", "change": "file_change", "ask": "question"}

_MARKERS = frozenset({"sleep", "reply", "long", "fail", "file", *WAITS})
_FILL = "The quick brown fox jumps over the lazy dog.\n"


@dataclass(frozen=True, slots=True)
class Step:
    """One marker and its value."""

    word: str
    value: str

    @property
    def seconds(self) -> float:
        """How long a `sleep` takes; a value that is no number takes none."""
        try:
            return max(0.0, float(self.value)) if self.word == "sleep" else 0.0
        except ValueError:
            return 0.0


def steps(message: str) -> list[Step]:
    """The steps of a message, in order."""
    found = []
    for line in message.splitlines():
        word, colon, value = line.strip().partition(":")
        if colon and word in _MARKERS:
            found.append(Step(word, value.strip()))
    return found


def answer(message: str, refused: bool, steered: list[str]) -> str:
    """The final text of a turn that went through its steps."""
    texts = [_text(step) for step in steps(message) if step.word in ("reply", "long", "file")]
    if refused:
        texts.append("That was declined, so I left it.")
    if not texts and not steps(message):
        texts = [f"echo: {message}"]
    texts += [f"echo: {extra}" for extra in steered]
    return "\n".join(texts) or "done"


def _text(step: Step) -> str:
    match step.word:
        case "long":
            count = min(int(step.value), MAX_LONG_CHARS) if step.value.isdigit() else 1000
            return (_FILL * (count // len(_FILL) + 1))[:count]
        case "file":
            return f"I wrote {step.value.partition('=')[0]}."
        case _:
            return step.value.replace("\\n", "\n")
