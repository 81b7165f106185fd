"""Could these bytes or this name hold what should not leave? Suspicion, not proof.

Errs on the side of asking: whoever is wrongly suspected costs its owner one `/yes`
(threat-model R25).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

MIN_ENTROPY_BITS = 3.5  # a sign; English words have about 3, random base64 nearly 6
TAR_SIGN_AT = 257  # POSIX ustar, header block
ISO_SIGN_AT = 32769  # ISO 9660, primary volume descriptor
ARCHIVE_HEAD_BYTES = ISO_SIGN_AT + 5  # as much as tells any archive

# First bytes of what holds other files; office documents and jars are zips.
_ARCHIVE_SIGNS: tuple[bytes, ...] = (
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"PK\x07\x08",
    b"\x1f\x8b",
    b"\x1f\x9d",
    b"BZh",
    b"\xfd7zXZ\x00",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07",
    b"\x28\xb5\x2f\xfd",
    b"\x04\x22\x4d\x18",
    b"LZIP",
    b"MSCF",
    b"!<arch>\n",
    b"070701",
    b"070707",
    b"xar!",
)
# Folders whose files are never for show, and files that are keys by their name.
_PRIVATE_FOLDERS = frozenset(
    (
        *(".git", ".svn", ".hg", ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker"),
        *(".codex", ".password-store", ".mozilla", "firefox", "chromium", "google-chrome"),
        *("keyrings", "keychains"),
    )
)
_PRIVATE_NAME = re.compile(
    r"(?ix) ^ ( \.env (\..*)? | .*\.env | \.?netrc | _netrc | \.npmrc | \.pypirc | \.pgpass"
    r"| \.git-credentials | \.htpasswd | id_(rsa|dsa|ecdsa|ed25519) (\.pub)?"
    r"| .*\.(pem|key|p12|pfx|jks|keystore|kdbx|ppk|asc|gpg|ovpn|token)"
    r"| (credentials|secrets?|auth|token)s? (\.(json|ya?ml|toml|ini|txt))?"
    r"| (cookies|login\ data|key[34]\.db|logins\.json|wallet\.dat|shadow|passwd) ) $"
)
_TOKEN = re.compile(
    rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY"
    rb"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    rb"|\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_[A-Za-z0-9_]{22}|\bglpat-[\w-]{20}"
    rb"|\bsk-[A-Za-z0-9_-]{20}|\bsk_live_[A-Za-z0-9]{16}|\bAIza[\w-]{35}"
    rb"|\bxox[abeoprs]-[\w-]{10}|\bnpm_[A-Za-z0-9]{36}|\bpypi-[\w-]{50}"
    rb"|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10}"
    rb"|[0-9a-f]{12}@im\.bot:[\w-]{8}"
)
_ASSIGNED = re.compile(
    rb"(?i)(?:passw(?:or)?d|secret|token|api[_-]?key|access[_-]?key|auth|credential)\w{0,20}"
    rb"[\"']?\s{0,3}[:=]\s{0,3}[\"']?([A-Za-z0-9+/_.~!@#$%^&*-]{12,200})"
)


# What every token and every such assignment holds: most contents hold none, and are not read
# sign by sign.
_TOKEN_HINTS = (
    *(b"PRIVATE KEY", b"AKIA", b"ASIA", b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_"),
    *(b"github_pat_", b"glpat-", b"sk-", b"sk_live_", b"AIza", b"xox", b"npm_", b"pypi-"),
    *(b"eyJ", b"@im.bot:"),
)
_ASSIGNED_HINTS = (b"passw", b"secret", b"token", b"key", b"auth", b"credential")


def is_archive(content: bytes) -> bool:
    """Whether the bytes begin as an archive does; none is ever opened."""
    return (
        content.startswith(_ARCHIVE_SIGNS)
        or content[TAR_SIGN_AT:][:5] == b"ustar"
        or content[ISO_SIGN_AT:][:5] == b"CD001"
    )


def is_private_name(parts: Sequence[str]) -> bool:
    """Whether a folder on the way, or the file's own name, is one that keys are kept under."""
    *folders, name = (part.casefold() for part in parts)
    return not _PRIVATE_FOLDERS.isdisjoint(folders) or bool(_PRIVATE_NAME.match(name))


def holds_secret(content: bytes) -> bool:
    """Whether a key or token stands in the bytes, also as UTF-16 and under any name."""
    texts = [content]
    if b"\0" in content:
        texts.append(content.replace(b"\0", b""))  # UTF-16 of ASCII, either order
    return any(_has_token(text) or _has_random_value(text) for text in texts)


def _has_token(text: bytes) -> bool:
    return any(hint in text for hint in _TOKEN_HINTS) and bool(_TOKEN.search(text))


def _has_random_value(text: bytes) -> bool:
    lowered = text.lower()
    if not any(hint in lowered for hint in _ASSIGNED_HINTS):
        return False
    return any(_is_random(match.group(1)) for match in _ASSIGNED.finditer(text))


def _is_random(value: bytes) -> bool:
    """No word: signs of several kinds, and many different ones."""
    has_digit = any(sign in b"0123456789" for sign in value)
    is_mixed = value != value.lower() and value != value.upper()
    return (has_digit or is_mixed) and entropy_bits(value) >= MIN_ENTROPY_BITS


def entropy_bits(value: bytes) -> float:
    """Shannon entropy of a value, in bits for each of its signs."""
    counts = Counter(value).values()
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts)
