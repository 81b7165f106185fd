"""What keeps a question of a group away from this computer.

The sandbox `read-only` lets a command read the whole disk and does not hold MCP servers.
So a thread of a group gets no environment, in which commands, patches and images would be
looked at, and none of the tools that need none. Every word was tried with Codex 0.169.0.
Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.codex.model import Obj

# For `thread/start` and every `turn/start`: with an empty list a command, a patch or an
# image is answered with "No usable execution environment is available".
NOWHERE: Obj = {"environments": []}

# A second fence, for a Codex that does not know `environments`; and what needs none: apps
# and plugins bring servers, a goal goes on without a question, the rest asks the owner.
_OFF = (
    "shell_tool",
    "unified_exec",
    "view_image",
    "apps",
    "plugins",
    "memories",
    "goals",
    "multi_agent",
    "default_mode_request_user_input",
    "request_permissions_tool",
)


@dataclass(frozen=True, slots=True)
class Fence:
    """Around a thread that begins in this folder; None: in the server's own."""

    cwd: str | None


def config(found: Obj) -> Obj:
    """The members of `config` when the thread is loaded; `found` is what `config/read` says.

    An empty list of servers would leave those of the home as they are (observed), so each
    is switched off by its name.
    """
    servers = (found.get("config") or {}).get("mcp_servers") or {}
    return {
        "features": dict.fromkeys(_OFF, False),
        "agents": {"enabled": False},  # the newer models have them without the feature
        "mcp_servers": {name: {"enabled": False} for name in servers},
        "project_doc_max_bytes": 0,  # folders above may belong to the owner
        "skills": {"include_instructions": False},  # they name folders of the home
    }
