"""What a decision may look at, and the one value that it leads to.

A View is what the store knows, Facts are what was asked or done beside it; a Decision is every
row that one command changes. All of them are frozen; nothing here reads or writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge.core.attached import FileFact, NewFile, TurnFile
from bridge.core.given_up import GivenUp
from bridge.core.group_chat import GroupChat, GroupStep
from bridge.core.life import Life
from bridge.core.model import (
    Account,
    Alias,
    AliasName,
    Approval,
    InboxId,
    InboxState,
    Key,
    OutId,
    Peer,
    PeerId,
    Question,
    RunId,
    SendClass,
    ThreadId,
    Turn,
    TurnId,
    TurnState,
)


@dataclass(frozen=True, slots=True)
class NewTurn:
    """A turn as planned; `state` is starting (thread idle, head known) or queued."""

    key: Key
    thread: ThreadId
    alias: str
    prompt: str
    cwd: str
    sandbox: str
    approval_policy: str
    model: str
    effort: str
    state: TurnState
    expected_head: str | None
    seen_head: str
    files: tuple[TurnFile, ...] = ()
    preface: str = ""


@dataclass(frozen=True, slots=True)
class NewRow:
    """A bubble to be owed. Rows of one answer share `group`; parts are sent in order."""

    send_class: SendClass
    text: str
    client_id: str
    group: str
    part: int = 1
    parts: int = 1
    turn: TurnId | None = None
    client: str = ""  # the agent that says it; "" is the bridge or a thread
    staged: str = ""  # the file that it carries, by its name in the staging folder


@dataclass(frozen=True, slots=True)
class RowStep:
    """What becomes of one inbox row."""

    id: InboxId
    state: InboxState
    outcome: str
    is_released: bool = False
    is_asked: bool = False
    meant: AliasName | None = None  # of one that is held: the name in use now


@dataclass(frozen=True, slots=True)
class TurnStep:
    """A change of one turn that holds only while it is still in `was`."""

    id: TurnId
    thread: ThreadId
    was: TurnState
    state: TurnState
    reason: str = ""
    outcome: str = ""
    stop_requested: bool | None = None
    retry_at_ms: int = 0
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Audit:
    """One line of who decided what, by which rule; never any content."""

    what: str
    rule: str
    outcome: str
    subject: str = ""
    turn: TurnId | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """What was refused, held or withheld last: the phrase that told it, and its rule."""

    at_ms: int
    rule: str
    told: str


@dataclass(frozen=True, slots=True)
class Looked:
    """How far a thread's history was shown; holds only while its alias is as it `was`."""

    was: Alias
    position: str
    head: str  # "" while there is more to show


@dataclass(frozen=True, slots=True)
class Moved:
    """Messages that wait for one thread go to another, by the owner's word."""

    thread: ThreadId
    to: Alias


@dataclass(frozen=True, slots=True)
class Decision:
    """Everything one command changes; `store.apply` writes it in one transaction.

    The rows are the effects: nothing else is handed from task to task.
    """

    peer: PeerId
    rows: tuple[RowStep, ...] = ()
    bubbles: tuple[NewRow, ...] = ()
    again: tuple[OutId, ...] = ()  # ended bubbles that are owed once more
    turn: NewTurn | None = None
    turn_steps: tuple[TurnStep, ...] = ()
    aliases: tuple[Alias, ...] = ()
    removed: AliasName | None = None
    looked: Looked | None = None
    moved: Moved | None = None
    peer_before: Peer | None = None
    peer_after: Peer | None = None  # only what differs from `peer_before` is written
    approval: Approval | None = None  # as it is now; it was `open` when it was read
    approval_thread: ThreadId | None = None
    question: Question | None = None  # as it is now; it was waiting when it was read
    files: tuple[NewFile, ...] = ()  # staged copies, for bubbles of this decision or a later one
    group: GroupStep | None = None
    audit: tuple[Audit, ...] = ()

    @property
    def owes(self) -> bool:
        """Whether something is to be sent."""
        return bool(self.bubbles or self.again)


@dataclass(frozen=True, slots=True)
class Session:
    """A Codex thread as the controller lists it."""

    thread: ThreadId
    title: str
    cwd: str
    updated_at_ms: int
    state: str  # idle, busy or elsewhere
    holder: str = ""  # who has it open elsewhere, where the system tells


@dataclass(frozen=True, slots=True)
class ThreadStatus:
    """What the controller says of one thread without a model, a lock or a change."""

    head: str | None
    owner: str
    is_active: bool
    cwd: str
    is_known: bool = True  # False: this controller has never heard of the thread
    state: str = ""  # idle, busy or elsewhere; "" where this controller does not say
    holder: str = ""
    run_reason: str = ""  # why the asked run does not get on: stalled, network_waiting, ...
    servers: tuple[Server, ...] = ()


@dataclass(frozen=True, slots=True)
class Server:
    """A Codex process behind the controller."""

    name: str
    version: str
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that happened in a thread, in the controller's words."""

    turn: str  # Codex's id
    kind: str  # user, assistant, command, file or note
    text: str


@dataclass(frozen=True, slots=True)
class History:
    """A stretch of a thread's past; `position` is where the next one begins."""

    items: tuple[Item, ...]
    position: str
    more: bool
    head: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What was read for a decision; None where nothing was asked or nobody answered."""

    sessions: tuple[Session, ...] | None = None
    status: ThreadStatus | None = None
    knows_all: bool = False  # the controller lists every thread: what it does not know is not
    trouble: str = ""  # why the controller could not be asked: a Refusal, or ""
    history: History | None = None
    last: History | None = None  # the last turn, where nothing is new
    ours: Mapping[str, TurnId] = field(default_factory=dict)  # our turns by Codex's id
    position: str = ""  # where the history of a thread ends that is being named
    folder: str | None = None  # the full name of the folder that was asked for
    did: str = ""  # "done", or the controller's word for why it was not
    made: ThreadId | None = None  # a branch
    steered: RunId | None = None  # which run has what was added
    files: tuple[FileFact, ...] | None = None  # None: there is no answer yet
    files_of: TurnId | None = None  # whose answer named them; None: a list shown before
    prompts_before: int = 0  # of this peer in the last minute
    is_flood_told: bool = False  # and since the last quiet minute it was said that it is many
    is_full_told: bool = False  # of this thread: since a message was last held for it
    slept_ms: int = 0  # the machine woke just now, from a sleep of this length


@dataclass(frozen=True, slots=True)
class Asking:
    """A prompt that is not planned yet: the controller is asked about its thread."""

    thread: ThreadId
    rows: tuple[InboxId, ...]


@dataclass(frozen=True, slots=True)
class View:
    """What the store knows that a decision about one peer's message may need.

    `unfinished` counts turns by thread. From `turns` on, only what `commands.needs_whole` names
    finds more than the defaults, and from `not_done` on only what `commands.needs_past` does.
    """

    account: Account
    peer: Peer
    aliases: Mapping[AliasName, Alias]
    unfinished: Mapping[ThreadId, int]
    asked: Mapping[ThreadId, Approval] = field(default_factory=dict)  # what threads wait for
    meant: AliasName | None = None  # of a message that was held: the name in use then
    quoted_turn: Turn | None = None
    quoted_text: str | None = None  # of the message that is quoted; None: none is, or not known
    quoted_question: Question | None = None  # of an agent; over ones too
    quoted_request: Approval | None = None  # the open question of a thread
    maybe_quoted: Question | Approval | None = None  # where nobody knows what is quoted
    groups: tuple[GroupChat, ...] = ()  # that have asked, by their numbers
    turns: tuple[Turn, ...] = ()  # unfinished, every thread; live ones first, then in their order
    held: tuple[InboxId, ...] = ()
    files_alone: tuple[InboxId, ...] = ()  # asked about, and still without a sentence
    waiting_rows: int = 0  # bubbles that wait for the channel
    last_turn: Turn | None = None
    asked_turn: Turn | None = None
    credits: int | None = None  # sends left in the window; None: no limit
    closes_ms: int | None = None  # when the window closes; None: no limit, or never opened
    approvals: tuple[Approval, ...] = ()  # open ones of this peer
    asking: Asking | None = None  # of this peer, for `/stop`
    questions: tuple[Question, ...] = ()  # of agents, that wait for this peer
    asked_file: NewFile | None = None  # the copy that the open confirmation is about
    not_done: Refused | None = None
    last_answer: Turn | None = None  # with a text: of the thread that is meant, or in any
    life: Life | None = None
    given_up: tuple[GivenUp, ...] = ()
    unanswered: tuple[Turn, ...] = ()  # ended, for `/retry`; those run again since are not there
    group_threads: frozenset[ThreadId] = frozenset()  # that groups have, or ever asked in


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that decide; 0 turns a limit off."""

    merge_window_ms: int = 2_000
    stale_ms: int = 1_800_000
    queue_limit: int = 50
    flood_limit: int = 20
    remote_approvals: bool = True
    approval_ms: int = 43_200_000
    group_qa: bool = False
    group_folders: tuple[str, ...] = ()  # where the threads of groups run: one place, each name


@dataclass(frozen=True, slots=True)
class Ids:
    """Fresh names for one decision: the same seed gives the same ids."""

    install: str
    seed: str
    code: str = ""  # a random nonce of more than 40 bits, for an approval
