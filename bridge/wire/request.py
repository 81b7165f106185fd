"""What every method on the private socket is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

R = TypeVar("R")


class Request(Generic[R]):
    """A call with a reply of type R; a notification has no reply."""

    method: ClassVar[str]
    reply: ClassVar[Any]  # Any: the class R, which a ClassVar may not name


@dataclass(frozen=True)
class Done:
    """The reply of a call that has nothing to say."""
