"""What a client on a pipe needs of the mcp SDK, and nothing beside it.

`import mcp` brings the SDK's servers and its HTTP transports along: starlette, uvicorn,
httpx2, cryptography. They cost 18 MiB and half a second (mcp 2.3.0, measured 2026-11-22)
and none of them is ever called here. So the packages on the way to the two modules that
are needed stand in empty while these are imported. Whoever imports `mcp` afterwards gets
it whole.

Importing this takes up to a second: do it on a thread.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from mcp_types import (
    Implementation,
    PaginatedRequestParams,
    ToolListChangedNotification,
    jsonrpc_message_adapter,
)

__all__ = [
    "ClientSession",
    "Implementation",
    "PaginatedRequestParams",
    "SessionMessage",
    "ToolListChangedNotification",
    "jsonrpc_message_adapter",
]

_PACKAGES = ("mcp", "mcp.client", "mcp.shared")


@contextmanager
def _empty_packages() -> Iterator[None]:
    """Their modules can be imported and their own code is not run; nothing stays of it."""
    found = importlib.util.find_spec("mcp")
    ours: list[str] = []
    if "mcp" not in sys.modules and found is not None and found.origin is not None:
        for name in _PACKAGES:
            module = ModuleType(name)
            module.__path__ = [str(Path(found.origin).parent.joinpath(*name.split(".")[1:]))]
            sys.modules[name] = module
            ours.append(name)
    try:
        yield
    finally:
        for name in ours:
            del sys.modules[name]


try:
    with _empty_packages():
        from mcp.client.session import ClientSession
        from mcp.shared.message import SessionMessage
except ImportError:  # an SDK that is built otherwise: whole, then
    from mcp import ClientSession
    from mcp.shared.message import SessionMessage
