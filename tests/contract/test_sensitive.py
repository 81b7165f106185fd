"""What looks like a secret: every kind of token, and a content without any costs little."""

from __future__ import annotations

import time

import pytest

from bridge.files import sensitive

# Built here, so that no scanner takes this file for a leak.
TOKENS = [
    "AKI" + "A" + "Q7" * 8,
    *("gh" + kind + "_" + "a1B2" * 9 for kind in "pousr"),
    "github_" + "pat_" + "a1" * 11,
    "glp" + "at-" + "a1" * 10,
    "s" + "k-" + "a1" * 10,
    "sk_" + "live_" + "a1" * 8,
    "AI" + "za" + "a1B2c" * 7,
    "xo" + "xb-" + "1234567890",
    "np" + "m_" + "a1B2" * 9,
    "py" + "pi-" + "a1" * 25,
    "ey" + "J" + "a1" * 5 + ".ey" + "J" + "a1" * 5 + "." + "a1" * 5,
    "0a1b2c3d4e5f@im." + "bot:" + "a1b2c3d4",
]


@pytest.mark.parametrize("token", TOKENS)
def test_every_kind_of_token_is_suspected(token: str) -> None:
    """R25: in the middle of a text, and as UTF-16."""
    text = f"use {token} for it"
    assert sensitive.holds_secret(text.encode())
    assert sensitive.holds_secret(text.encode("utf-16"))


@pytest.mark.parametrize("name", ["password", "PASSWD", "client_secret", "Api-Key", "auth_token"])
def test_every_telling_name_is_looked_behind(name: str) -> None:
    """R25: high entropy in an assignment."""
    assert sensitive.holds_secret(f'{name} = "zX9$kQ2mP7vL4wRt"'.encode())


def test_content_without_a_hint_is_not_read_sign_by_sign() -> None:
    """R9: as much as an artifact may hold, in a moment."""
    began_s = time.process_time()
    assert not sensitive.holds_secret(b"line of a report\n" * (20 * 1024 * 1024 // 17))
    assert time.process_time() - began_s < 5  # sign by sign takes longer
