"""No secret is ever written down, whatever goes wrong."""

from __future__ import annotations

from channel_worker.simulator.world import FaultKind
from tests.faults.rig import Conditions, Launcher, Rig, gateway

SAID = "canary-of-a-message"  # words of the owner belong in no log either
FAULTS: tuple[tuple[FaultKind, dict[str, object]], ...] = (
    ("errcode", {"code": -99, "message": "unknown"}),
    ("status_after", {"code": 502}),
    ("reset_after", {}),
    ("half_body", {}),
    ("body", {"body": b"{not json"}),
)


def secrets_of(rig: Rig) -> list[str]:
    """The bot token, every context token, and what was said."""
    contexts = [str(message["context_token"]) for message in rig.world.messages]
    return [rig.world.token, rig.world.token.rpartition(":")[2], *contexts, SAID]


def written(rig: Rig) -> dict[str, str]:
    """Everything that a process wrote for a person to read."""
    logs = {path.name: path.read_text() for path in (rig.folder / "data/logs").iterdir()}
    return logs | {"terminal": rig.terminal()}


async def test_no_secret_reaches_a_log_the_terminal_or_the_phone(launcher: Launcher) -> None:
    """R18, F97: canaries in every field, every class of error, at debug level."""
    async with gateway(launcher, Conditions()) as rig:
        assert await rig.stop() == (0, 0)
        rig.start_worker(CTB_LOG_LEVEL="debug")
        rig.start_bridge(CTB_LOG_LEVEL="debug")
        await rig.until_at_rest()
        for kind, fields in FAULTS:
            for endpoint in ("getupdates", "sendmessage"):
                rig.simulator.fail(endpoint, kind, **fields)
            rig.world.say(f"{SAID} {kind}")
            await rig.until_shown(f"answer to {SAID} {kind}")
        rig.kill_controller()
        rig.world.say(f"{SAID} at last")
        await rig.until_shown(f"answer to {SAID} at last")
        canaries = secrets_of(rig)
        rig.simulator.expire_token()
        await rig.until_channel_says("login_needed")
        told = "\n".join((await rig.status()).lines)
        assert await rig.stop() == (0, 0)
        for name, text in {**written(rig), "status": told}.items():
            assert not [canary for canary in canaries if canary in text], name
        shown = "\n".join(sent.text for sent in rig.world.sent)
        assert not [canary for canary in canaries[:-1] if canary in shown]
        assert "delivery.done" in written(rig)["bridge.log"]
        assert "channel.state" in written(rig)["channel.log"]
