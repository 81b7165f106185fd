"""The rows on disk: who writes each table, who reads it, when a row may go.

Models never leave this room; every public function of the store returns the frozen
values of `core/model.py`. Times are UTC epoch milliseconds. Ids of the channel are
TEXT: iLink's are unsigned 64-bit and do not fit an INTEGER.
"""

from __future__ import annotations

from peewee import BooleanField, CompositeKey, DatabaseProxy, IntegerField, Model, TextField

proxy = DatabaseProxy()


class _Row(Model):
    class Meta:
        database = proxy
        legacy_table_names = False


class AccountRow(_Row):
    """One bot at the channel. Written by `accounts`; read everywhere; never deleted."""

    channel = TextField(primary_key=True)
    bot_id = TextField()
    owners = TextField()  # JSON list of person ids
    generation = IntegerField()
    owner_epoch = IntegerField()
    paired_at_ms = IntegerField()
    cursor = TextField()
    state = TextField()
    breaker_until_ms = IntegerField(default=0)
    probe_no = IntegerField(default=0)
    unconfirmed_run = IntegerField(default=0)
    rest_reason = TextField(default="")
    rest_since_ms = IntegerField(default=0)

    class Meta:
        table_name = "account"


class PeerRow(_Row):
    """A person and what they were last shown. Written by `inbox` (token, time of the
    last message), by `apply` and `turns.settle` (choices, what `/more` shows), by `outbox`
    (that they were asked to write, where `/more` goes on), by `accounts` and by `relogin`;
    read by `views` and `outbox`; goes with the owner."""

    peer = TextField(primary_key=True)
    lang = TextField()
    active = TextField(null=True)
    confirmation = TextField(default="")  # JSON or ""
    listed = TextField(default="[]")  # JSON, the numbered list last shown
    files = TextField(default="[]")  # JSON, the same of files
    files_ms = IntegerField(default=0)  # when that was
    more_turn = IntegerField(null=True)
    more_next = IntegerField(default=0)
    context_token = TextField(default="")
    token_generation = IntegerField(default=0)
    token_time_ms = IntegerField(default=0)  # the channel's time of its message
    wrote_ms = IntegerField(default=0)  # our time of their last message: opens the window
    is_announced = BooleanField(default=False)  # told in this window to write for the rest

    class Meta:
        table_name = "peer"


class InboxTable(_Row):
    """Messages in. Written by `inbox.accept` and `inbox.apply`, by `accounts.pair` when their
    sender is no owner any more, and by `past` when one that was given up is tried again or
    dropped; read by `views` and `past`. Keys stay 90 days, texts while a quote of them must
    resolve (30 days), and nothing unfinished ever goes (`retention`, here and below)."""

    id = IntegerField(primary_key=True)
    channel = TextField()
    peer = TextField()
    msg_key = TextField()
    body_hash = TextField()
    create_time_ms = IntegerField()
    received_ms = IntegerField()
    age_ms = IntegerField()
    parts = TextField()  # JSON list
    quoted_id = TextField()
    quoted_text = TextField()
    is_cut = BooleanField()
    quoted_part = TextField(default="")  # JSON or "": what of it was marked
    has_files = BooleanField(default=False)
    is_files_alone = BooleanField(default=False)  # waits for words, so it is never due
    is_asked = BooleanField(default=False)
    is_released = BooleanField(default=False)
    meant = TextField(default="")  # of one that was held: the name in use then
    state = TextField()
    outcome = TextField()
    attempts = IntegerField(default=0)
    turn = IntegerField(null=True)
    done_ms = IntegerField(default=0)

    class Meta:
        table_name = "inbox"


class AttachmentTable(_Row):
    """Files that came with messages. Made by `inbox.accept` with its row, moved by
    `attachments.fetched`; read by `views` and the fetching task; goes with its row. The
    reference holds a key of the channel, a secret in every export (R21). The file itself
    goes thirty days after its last message and turn were done (`core/retention.py`)."""

    id = IntegerField(primary_key=True)
    inbox = IntegerField()
    place = IntegerField()  # which part of the message
    kind = TextField()
    media = TextField()  # JSON: address and key on the CDN; "" without one, and at the end
    outcome = TextField(default="")  # stored, gone; "": not here yet
    path = TextField(default="")
    content_type = TextField(default="")
    tries = IntegerField(default=0)
    not_before_ms = IntegerField(default=0)
    code = TextField(default="")  # why the last try failed

    class Meta:
        table_name = "attachment"


class AliasRow(_Row):
    """Names for threads, the same for every conversation. Written by `inbox.apply`; by
    `turns.settle` for the head last seen, and by `turns.running` for the thread that a
    first message has made. Removed on the owner's word."""

    name = TextField(primary_key=True)
    skeleton = TextField()
    thread = TextField()
    cwd = TextField()
    title = TextField()
    sandbox = TextField()
    approval_policy = TextField()
    model = TextField()
    effort = TextField()
    seen_head = TextField()
    position = TextField(default="")

    class Meta:
        table_name = "alias"


class TurnTable(_Row):
    """One prompt and its answer. Made by `inbox.apply`, moved by `turns`, by `rights`, and by
    `past` as above; read by `views` and `past`. Goes 90 days after its end, behind its
    messages and its bubbles: so long its answer is read again, and its key holds as long as
    theirs."""

    id = IntegerField(primary_key=True)
    key = TextField()
    channel = TextField()
    peer = TextField()
    thread = TextField()
    alias_name = TextField()
    prompt = TextField()
    cwd = TextField()
    sandbox = TextField()
    approval_policy = TextField()
    model = TextField()
    effort = TextField()
    state = TextField()
    reason = TextField(default="")
    expected_head = TextField(null=True)
    seen_head = TextField(default="")
    run = TextField(null=True)
    codex_turn = TextField(default="")
    lock_token = TextField(null=True)
    retry_at_ms = IntegerField(default=0)
    tries = IntegerField(default=0)
    stop_requested = BooleanField(default=False)
    attempts = IntegerField(default=0)
    outcome = TextField(default="")
    owes = TextField(default="")  # words of Owed between commas
    result = TextField(default="")
    cuts = TextField(default="[]")  # JSON list of offsets
    created_ms = IntegerField()
    started_ms = IntegerField(default=0)
    ended_ms = IntegerField(default=0)
    files = TextField(default="[]")  # JSON: the owner's files that the prompt names
    preface = TextField(default="")

    class Meta:
        table_name = "turn"


class OutboxTable(_Row):
    """Bubbles owed. Made by `inbox.apply`, `turns` and `guests`, moved by `outbox`, by
    `relogin` and `rights`, and by `past` as above; read by `views`, `guests` and `past`. Stay
    for 30 days, as long as a quote of them must resolve, and longer while their turn or another
    part is not done."""

    id = IntegerField(primary_key=True)
    peer = TextField()
    send_class = IntegerField()
    grp = TextField()
    part = IntegerField()
    parts = IntegerField()
    text = TextField()
    client_id = TextField()
    client = TextField(default="")  # the agent that says it
    turn = IntegerField(null=True)
    artifact = IntegerField(null=True)  # the staged copy that it carries
    state = TextField()
    outcome = TextField(default="")
    created_ms = IntegerField()
    not_before_ms = IntegerField(default=0)
    tries = IntegerField(default=0)
    fails = IntegerField(default=0)
    maybe_sent = BooleanField(default=False)
    server_id = TextField(default="")
    done_ms = IntegerField(default=0)

    class Meta:
        table_name = "outbox"


class ArtifactTable(_Row):
    """Files that may leave: an offer is a path as an answer or an agent named it; a copy
    (`staged_name`) is the bytes that were checked and hashed, and never changes but for its
    handle. Offers are written by `turns.settle` and `artifacts.offer`, copies by
    `inbox.apply`; both are read by `artifacts` and with their bubbles. The bytes go a day
    after they were staged, once no unfinished bubble carries them (`core/retention.py`), and
    the handle with them: it holds a key of the channel, a secret in every export (R21). An
    answer's offer goes with its turn; after 30 days a copy goes behind its bubble, and an
    agent's offer behind its copies, and then the bubble that told of it."""

    id = IntegerField(primary_key=True)
    peer = TextField()
    turn = IntegerField(null=True)  # whose answer named it
    client = TextField(default="")  # or the agent that did
    note = IntegerField(null=True)  # and the bubble that told of it
    path = TextField(default="")
    offer = IntegerField(null=True)  # of a copy: what it is a copy of
    created_ms = IntegerField()
    staged_name = TextField(default="")
    name = TextField(default="")
    kind = TextField(default="")
    size_bytes = IntegerField(default=0)
    sha256 = TextField(default="")
    handle = TextField(default="")  # JSON once uploaded

    class Meta:
        table_name = "artifact"


class AttemptTable(_Row):
    """One request to the channel, written before it leaves. Written and read by
    `outbox`; goes with its bubble."""

    id = TextField(primary_key=True)
    row = IntegerField()
    peer = TextField()
    instance = TextField()
    started_ms = IntegerField()
    outcome = TextField(default="")

    class Meta:
        table_name = "outbox_attempt"


class ApprovalTable(_Row):
    """Requests that turns wait for. Written by `approvals`, `rights` and `inbox.apply`;
    read by `views` and the turn's task; goes with its turn."""

    id = TextField()
    digest = TextField()
    turn = IntegerField()
    peer = TextField()
    kind = TextField()
    summary = TextField()
    detail = TextField()
    is_cut = BooleanField()
    options = TextField()  # JSON list
    code = TextField()
    code_ms = IntegerField()
    asked_ms = IntegerField()
    state = TextField()
    decision = TextField(default="")
    said = TextField(default="")
    outcome = TextField(default="")
    done_ms = IntegerField(default=0)

    class Meta:
        table_name = "approval"
        primary_key = CompositeKey("turn", "id", "digest")


class QuestionTable(_Row):
    """Questions of agents. Written by `guests`, `rights` and `inbox.apply`; read by
    `guests` and `views`; goes with its bubble."""

    id = IntegerField(primary_key=True)  # of the bubble that shows it
    client = TextField()
    peer = TextField()
    options = TextField()  # JSON list
    code = TextField()
    asked_ms = IntegerField()
    outcome = TextField(default="")
    said = TextField(default="")

    class Meta:
        table_name = "question"


class GroupRow(_Row):
    """Groups that have asked. Made by `groups.ask`, moved by `groups.step`, its thread named
    by `turns.running`; read by `groups` and `views`; goes with the owner. No id of a person
    and no word of theirs is in it."""

    number = IntegerField(primary_key=True)
    peer = TextField()
    state = TextField()
    thread = TextField(null=True)
    asked_ms = IntegerField()

    class Meta:
        table_name = "group_chat"


class AuditTable(_Row):
    """Decisions, append-only: a trigger refuses updates. Written by every transaction
    that decides; read at the desk and by `/why`; goes after a year."""

    id = IntegerField(primary_key=True)
    at_ms = IntegerField()
    peer = TextField()
    what = TextField()
    rule = TextField()
    outcome = TextField()
    subject = TextField()
    turn = IntegerField(null=True)

    class Meta:
        table_name = "audit"


class MetaRow(_Row):
    """Facts about this installation: its id, what was measured. Never deleted."""

    name = TextField(primary_key=True)
    value = TextField()

    class Meta:
        table_name = "meta"
