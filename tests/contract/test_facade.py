"""`ctb-mcp` as an MCP host sees it, over a real bridge: scopes, receipts, refusals.

Bridge and facade are real processes, the client is the SDK's.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from bridge.desk import SafeDesk
from bridge.facade.server import build
from bridge.wire import codec, facade
from bridge.wire.peer import Peer, Refused, connect, listen, serve
from bridge.wire.request import Request
from bridge.wire.scopes import SCOPES, Scope
from tests.contract.facade_rig import BIN, LIMIT_S, OWNER, Failed, Ground, nothing, until

TOOLS = {
    "note_owner": "notify:owner",
    "ask_owner": "notify:owner",
    "ask_result": "notify:owner",
    "send_file": "artifact:offer",
    "delivery_status": "status:read",
    "list_threads": "status:read",
    "thread_status": "status:read",
    "read_history": "history:read",
}
GIVEN: dict[str, dict[str, object]] = {
    "note_owner": {"text": "hello"},
    "ask_owner": {"question": "go on?"},
    "ask_result": {"id": 1},
    "send_file": {"path": "/tmp/a.txt"},
    "delivery_status": {"id": 1},
    "thread_status": {"alias": "code"},
    "read_history": {"alias": "code"},
}
EVERY_CALL: dict[type[Request[Any]], Request[Any]] = {  # Any: replies differ
    facade.NoteQueue: facade.NoteQueue("hello"),
    facade.QuestionAsk: facade.QuestionAsk("go on?"),
    facade.QuestionResult: facade.QuestionResult(1),
    facade.DeliveryStatus: facade.DeliveryStatus(1),
    facade.ThreadList: facade.ThreadList(),
    facade.ThreadStatus: facade.ThreadStatus("code"),
    facade.ThreadHistory: facade.ThreadHistory("code"),
    facade.ArtifactOffer: facade.ArtifactOffer("/etc/passwd", ""),
}


@pytest.fixture
def ground() -> Iterator[Ground]:
    folder = Path(tempfile.mkdtemp(prefix="ctb-mcp-"))  # short: a socket lies in it
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "CTB_PROJECT_ROOT": str(folder),
        "CTB_CONTROLLER_COMMAND": f"{BIN / 'ctb-controller'} --engine echo",
        "CTB_LANG": "en",
        "CTB_MERGE_WINDOW_SECONDS": "0",
        "CTB_SEND_SPACING_SECONDS": "0",
    }
    yield Ground(folder, env)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("scope", SCOPES)
async def test_host_is_offered_what_the_scope_of_its_client_grants(scope: Scope) -> None:
    """R33: the tools of each scope, and no tool for what has no scope."""
    listed = await build("codex", frozenset({scope}), Path("none")).list_tools()
    assert {tool.name for tool in listed} == {n for n, needed in TOOLS.items() if needed == scope}


async def test_without_a_bridge_every_tool_says_so(ground: Ground) -> None:
    """R34: a code and a sentence; the facade itself stays up."""
    ground.allow(codex=list(SCOPES))
    async with ground.host() as host:
        assert {tool.name for tool in (await host.session.list_tools()).tools} == set(TOOLS)
        for tool in TOOLS:
            with pytest.raises(Failed, match=r"^not_running: "):
                await host(tool, **GIVEN.get(tool, {}))


async def test_bridge_that_hangs_up_or_does_not_trust_its_state_has_done_nothing(
    ground: Ground,
) -> None:
    """R34, R39: a code of its own for each; `unknown` is for what may have been done."""
    ground.allow(codex=list(SCOPES))
    ground.socket.parent.mkdir(mode=0o700, parents=True)
    safe, does_hang_up = SafeDesk("quick_check failed"), True

    async def answer(peer: Peer, request: object) -> object:
        if does_hang_up:
            peer.close()
        return await safe.answer(request)

    async with (
        ground.host() as host,
        await listen(ground.socket) as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(serve, listener, answer, lambda _peer: None)
        with pytest.raises(Failed, match=r"^not_answering: .*nothing was done"):
            await host("note_owner", text="hello")
        does_hang_up = False
        with pytest.raises(Failed, match=r"^safe_mode: .*nothing was done"):
            await host("note_owner", text="hello")
        tasks.cancel_scope.cancel()


async def test_half_an_emoji_is_answered_as_any_other_text(ground: Ground) -> None:
    """R10: what a host in JavaScript writes when it cuts a text at a number of units."""
    ground.allow(codex=list(SCOPES))
    command = [str(BIN / "ctb-mcp"), "--client", "codex"]
    async with await anyio.open_process(command, env=ground.env) as process:
        assert process.stdin is not None and process.stdout is not None
        asked = {"name": "note_owner", "arguments": {"text": "go \ud83d"}}
        for number, (method, given) in enumerate([("initialize", HELLO), ("tools/call", asked)]):
            line = {"jsonrpc": "2.0", "id": number, "method": method, "params": given}
            await process.stdin.send(json.dumps(line).encode() + b"\n")
            with anyio.fail_after(LIMIT_S):
                reply = json.loads(await process.stdout.receive())
        assert reply["id"] == 1 and reply["result"]["content"][0]["text"].startswith("not_running")
        process.terminate()


HELLO = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "host", "version": "1"},
}


async def test_every_method_needs_its_scope_whatever_the_caller_claims(ground: Ground) -> None:
    """R33: the matrix at the socket, past the facade; a scope in a request is ignored."""
    ground.allow(**{f"c{number}": [scope] for number, scope in enumerate(SCOPES)})
    async with ground.bridge(), anyio.create_task_group() as tasks:
        for number, scope in enumerate(SCOPES):
            peer = await connect(ground.socket, "facade", "i", nothing, tasks)
            with pytest.raises(Refused, match="hello comes first"):
                await peer.call(facade.ThreadList(), LIMIT_S)
            hello = Claim(f"c{number}")
            assert (await peer.call(hello, LIMIT_S)).scopes == (scope,)
            for kind, request in EVERY_CALL.items():
                if facade.NEEDS[kind] == scope:
                    await peer.call(request, LIMIT_S)
                    continue
                with pytest.raises(Refused) as refused:
                    await peer.call(request, LIMIT_S)
                assert refused.value.code == codec.NOT_ALLOWED, (scope, kind)
            peer.close()


@dataclass(frozen=True)
class Claim(facade.FacadeHello):
    """A hello that claims more than its client has."""

    scopes: tuple[str, ...] = SCOPES
    scope: str = "notify:owner"


async def test_scope_that_is_taken_away_is_gone_at_the_next_call(ground: Ground) -> None:
    """R33: deny by default; a file that cannot be read allows nothing."""
    ground.allow(codex=["notify:owner"])
    async with ground.bridge(), ground.host() as host:
        assert (await host("note_owner", text="hello"))["state"] == "refused"  # no owner yet
        ground.allow(codex=["status:read"])
        with pytest.raises(Failed, match=r"^not_allowed: codex lacks the scope notify:owner"):
            await host("note_owner", text="hello")
        ground.allow(codex=["everything"])
        with pytest.raises(Failed, match=r"^not_allowed: clients.toml cannot be used") as failed:
            await host("note_owner", text="hello")
        assert str(ground.folder) not in str(failed.value)


async def test_refused_agent_leaves_a_line_and_cannot_fill_the_audit(ground: Ground) -> None:
    """R33, R38: by which rule, of which agent; ten a minute, however often it asks."""
    ground.allow(codex=["notify:owner"])
    async with ground.bridge(), ground.agent("codex") as agent:
        await agent.call(facade.NoteQueue("hello"), LIMIT_S)
        for _ in range(15):
            with pytest.raises(Refused, match="lacks the scope"):
                await agent.call(facade.ThreadHistory("code"), LIMIT_S)
    with closing(sqlite3.connect(ground.folder / "data/state/bridge.sqlite3")) as rows:
        lines = rows.execute("SELECT peer, what, rule, outcome, subject FROM audit ORDER BY id")
        found = [line for line in lines if line[1] == "agent.refused"]
    denied = ("", "agent.refused", "scope history:read", "not in its scopes", "codex")
    assert found[0] == ("", "agent.refused", "scope notify:owner", "no_owner", "codex")
    assert found[1:] == [denied] * 9


async def test_receipts_say_what_became_of_a_note(ground: Ground) -> None:
    """issue 5, point 12: refused and why, offline, held, delivered, merged, unknown, failed."""
    ground.allow(codex=["status:read", "notify:owner"], other=["status:read"])
    async with ground.bridge(), ground.host() as host, ground.agent("other") as other:
        refused = await host("note_owner", text="nobody is here")
        assert (refused["id"], refused["state"]) == (0, "refused")
        assert "nobody is logged in" in refused["message"]
        async with ground.worker():
            held = await host("note_owner", text="first")
            assert held["state"] == "held"
            merged = await host("note_owner", text="second")
            assert merged["id"] == held["id"] and "joined" in merged["message"]
        with pytest.raises(Failed, match=r"^invalid_arguments: "):
            await host("delivery_status", id="x")
        foreign = await other.call(facade.DeliveryStatus(held["id"]), LIMIT_S)
        assert foreign.state == "not_found"
        ground.unknown = "second"
        async with ground.worker() as peer:
            await ground.writes(peer, 1, "/lang en")
            order = await ground.until_sent("first")
            assert order.text == "▸ Note from codex:\nfirst\n\nsecond"
            assert (order.to_user_id, order.context_token) == (OWNER, "ctx-1")
            await until(lambda: host("delivery_status", id=held["id"]), "unknown")
            text = await host("note_owner", text="x" * 1_201)
            assert text["state"] == "refused" and "1,200" in text["message"]
            waits = await host("note_owner", text="third")
            assert waits["state"] == "queued" and waits["id"] != held["id"]
        await until(lambda: host("delivery_status", id=waits["id"]), "offline")


async def test_question_is_answered_by_quoting_it_and_by_its_code(ground: Ground) -> None:
    """design 7: /answer, or quoting the question; nobody else's agent reads the answer."""
    ground.allow(codex=["notify:owner", "status:read"], other=["notify:owner"])
    async with (
        ground.bridge(),
        ground.worker() as peer,
        ground.host() as host,
        ground.agent("other") as other,
    ):
        await ground.writes(peer, 1, "/lang en")
        asked = await host("ask_owner", question="Which colour?", options=["Blue", "Red"])
        shown = await ground.until_sent("Which colour?")
        assert (await host("ask_result", id=asked["id"]))["state"] == "waiting"
        place = ground.sent.index(shown) + 1
        await until(lambda: host("delivery_status", id=asked["id"]), "delivered")
        await ground.writes(peer, 2, "2", quote=f"srv-{place}")
        await ground.until_sent("kept for codex")
        found = await host("ask_result", id=asked["id"])
        assert (found["state"], found["answer"]) == ("answered", "Red")
        foreign = await other.call(facade.QuestionResult(asked["id"]), LIMIT_S)
        assert foreign == facade.ResultReply("not_found")

        later = await host("ask_owner", question="And how?")
        shown = await ground.until_sent("And how?")
        code = shown.text.rpartition("/deny ")[2]
        await ground.writes(peer, 3, f"/answer {code} with care")
        await ground.until_sent("kept for codex")
        found = await until(lambda: host("ask_result", id=later["id"]), "answered")
        assert found["answer"] == "with care"


async def test_thread_of_a_controller_that_is_away_is_not_known_to_be_free(
    ground: Ground,
) -> None:
    """R34: what cannot be asked is said so; names and counts are the bridge's own."""
    ground.env["CTB_CONTROLLER_COMMAND"] = str(ground.folder / "nothing")
    ground.allow(codex=["status:read", "history:read"])
    async with ground.bridge(), ground.worker() as peer, ground.agent("codex") as agent:
        await ground.writes(peer, 1, "/add code 01a204f5-6be1-7853-b383-2b4c70c615c2")
        await ground.until_sent("code is noted")
        await ground.writes(peer, 2, "/send code hello")
        await ground.until_sent("cannot be reached")
        named = facade.NamedThread("code", "", "busy", 1)
        assert (await agent.call(facade.ThreadList(), LIMIT_S)).threads == (named,)
        assert (await agent.call(facade.ThreadStatus("code"), LIMIT_S)).thread == named
        history = await agent.call(facade.ThreadHistory("code"), LIMIT_S)
        assert history == facade.HistoryReply("away")
        await ground.writes(peer, 3, "/cancel 1")
        await ground.until_sent("cancelled")
        found = (await agent.call(facade.ThreadStatus("code"), LIMIT_S)).thread
        assert found is not None and (found.state, found.waiting) == ("", 0)
        assert (found.last_outcome, found.last_ended_ms > 0) == ("cancelled", True)


async def test_no_answer_of_an_agent_makes_a_turn_and_each_word_has_its_audit_line(
    ground: Ground,
) -> None:
    """R15, R38: nothing on the socket starts a run; who said what is kept, without the words."""
    ground.allow(codex=list(SCOPES))
    async with ground.bridge(), ground.worker() as peer, ground.host() as host:
        await ground.writes(peer, 1, "/lang en")
        await host("note_owner", text="secret words")
        await host("note_owner", text="/send code do it")
        await host("ask_owner", question="/approve all")
        await ground.until_sent("/approve all")
    database = ground.folder / "data" / "state" / "bridge.sqlite3"
    with sqlite3.connect(database) as rows:
        assert rows.execute("SELECT count(*) FROM turn").fetchone() == (0,)
        lines = rows.execute("SELECT what, rule, outcome, subject FROM audit ORDER BY id")
        said = [line for line in lines if line[0] in ("note.queue", "question.ask")]
    rows.close()
    assert [line[0] for line in said] == ["note.queue", "note.queue", "question.ask"]
    assert all(line[3].startswith("codex ") for line in said) and "secret" not in str(said)


WRONG: list[tuple[str, dict[str, object]]] = [
    ("delivery_status", {"id": "1"}),
    ("delivery_status", {"id": True}),
    ("delivery_status", {"id": 1.0}),
    ("ask_owner", {"question": "go on?", "options": '["a"]'}),
    ("ask_owner", {"question": "go on?", "options": ["a", 1]}),
    ("note_owner", {"text": 5}),
]


async def test_argument_of_another_type_is_refused_and_never_converted(ground: Ground) -> None:
    """R10: also where the SDK would make one of the other."""
    ground.allow(codex=list(SCOPES))
    async with ground.host() as host:  # no bridge: nothing of it gets that far
        for tool, given in WRONG:
            with pytest.raises(Failed, match=r"^invalid_arguments: "):
                await host(tool, **given)
        for options in (["a"], None):
            with pytest.raises(Failed, match=r"^not_running: "):
                await host("ask_owner", question="go on?", options=options, to={"a": 1})


async def test_fuzzed_arguments_are_refused_in_a_code_and_a_sentence(ground: Ground) -> None:
    """R34, R10: no traceback, no path, no echo of what was given; the facade stays up."""
    ground.allow(codex=list(SCOPES))
    chance = random.Random(33)
    odd: list[object] = [None, True, 1.5, -1, 2**80, "", "\0", "x" * 3_000, [], [1], {"a": 1}]
    odd += ["▸ hi", "$(touch x)", "' OR 1=1 --", "../../etc/passwd", {"$ref": "#"}, [["a"]], "[1]"]
    names = ["text", "question", "options", "id", "alias", "path", "caption"]
    names += ["scope", "to", "client"]
    exports = ground.folder / "exports"
    exports.mkdir()
    (exports / "ok.txt").write_text("fine")
    ground.env["CTB_ARTIFACT_ROOTS"] = str(exports)
    odd += [f"{exports}/ok.txt", f"{exports}/\0", f"{exports}/../exports/ok.txt", "/dev/zero"]
    async with ground.bridge(), ground.host() as host:
        for _ in range(120):
            tool = chance.choice([*TOOLS, "send_file", "dispatch", "approve", ""])
            told = chance.sample(names, chance.randint(0, 4))
            told += GIVEN.get(tool, {}) if chance.random() < 0.5 else ()  # all that it needs
            given = {name: chance.choice(odd) for name in told}
            try:
                await host(tool, **given)
            except Failed as failed:
                code, _, sentence = str(failed).partition(": ")
                assert code in CODES and sentence and len(str(failed)) < 200, (tool, given, code)
        assert (await host("list_threads")) == {"threads": []}
    log = (ground.folder / "data" / "logs" / "mcp-codex.log").read_text()
    assert "facade.fault" not in log


CODES = {"invalid_arguments", "unknown_tool", "not_offered", "no_alias", "not_allowed"}


async def test_wrong_setting_is_one_sentence_before_anything_is_served(ground: Ground) -> None:
    """issue 5, point 12: exit code 2."""
    ground.allow(codex=["dispatch"])
    for words, fault in (
        (["--client", "codex"], "'dispatch' is no scope"),
        (["--client", "a b"], "the name of a client"),
    ):
        done = await anyio.run_process(
            [str(BIN / "ctb-mcp"), *words], env=ground.env, check=False, input=b""
        )
        said = done.stderr.decode()
        assert done.returncode == 2 and fault in said and said.count("\n") == 1, said


async def test_facade_ends_with_its_host_and_at_once_on_a_signal(ground: Ground) -> None:
    """It holds nothing: the end of input or SIGTERM ends it."""
    command = [str(BIN / "ctb-mcp")]
    done = await anyio.run_process(command, env=ground.env, check=False, input=b"")
    assert (done.returncode, done.stdout) == (0, b"")
    async with await anyio.open_process(command, env=ground.env) as process:
        hello = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        assert process.stdin is not None and process.stdout is not None
        await process.stdin.send(json.dumps(hello).encode() + b"\n")
        with anyio.fail_after(LIMIT_S):
            await process.stdout.receive()  # it is up and its reader waits for a line
            process.terminate()
            assert await process.wait() == -signal.SIGTERM
