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
ISO_SIGN_AT = 32_769  # ISO 9660 and UDF, first volume descriptor
ARCHIVE_HEAD_BYTES = ISO_SIGN_AT + 5  # as much as tells any archive by its beginning
ZIP_END_BYTES = 22 + 65_535  # its end record, and the longest comment behind that
DMG_END_BYTES = 512
TAR_BLOCK_BYTES = 512
TAR_SUM_AT = 148  # eight bytes

# First bytes of what holds other files; office documents and jars are zips.
_ARCHIVE_SIGNS: tuple[bytes, ...] = (
    *(b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"),
    *(b"\x1f\x8b", b"\x1f\x9d", b"\xfd7zXZ\x00", b"LZIP\x01", b"\x89LZO\x00"),  # gzip and others
    *(b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"\x02\x21\x4c\x18"),  # zstd, lz4
    b"\xff\x06\x00\x00sNaPpY",
    *(b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"MSCF", b"MSWIM\x00"),
    *(b"!<arch>\n", b"\xed\xab\xee\xdb", b"xar!\x00", b"hsqs", b"sqsh"),  # deb, rpm, pkg, squashfs
    *(b"PACK\x00\x00\x00", b"# v2 git bundle\n", b"# v3 git bundle\n"),
    *(b"QFI\xfb", b"KDMV", b"conectix", b"vhdxfile"),  # disks of virtual machines
)
# The same where a text could begin with the sign alone: more of the header is asked for.
_ARCHIVE_HEADS = re.compile(
    rb"BZh[1-9]"
    rb"|\x5d\0\0..(?:\xff{8}|.{5}\0{3})"  # lzma: the usual dictionary, no size or a sane one
    rb"|[\x50-\x5f]\x2a\x4d\x18"  # zstd that begins with a frame to skip
    rb"|07070[127][0-9A-Fa-f]{70}|(?:\xc7\x71|\x71\xc7).{0,24}\0"  # cpio, and its binary form
    rb"|.{257}ustar"
    rb"|\x60\xea.{0,30}\0|..-(?:lh|lz|pm)[0-9a-z]-|ZOO \d\.\d\d A|.{7}\*\*ACE\*\*"  # arj, lha
    rb"|\x04\0{3}.{12}\{\"files\""  # asar
    rb"|#! ?/[^\n]*\n[^\0]*\0",  # a script that goes on in bytes: it unpacks itself
    re.DOTALL,
)
_OCTAL = re.compile(rb"[ \0]*([0-7]+)[ \0]*")
# Folders whose files are never for show. Some are named like a project: those count only below
# the folder that files may leave from.
_PRIVATE_FOLDER = re.compile(
    r"(?x) / ( \.(git|svn|hg|ssh|gnupg|aws|azure|kube|docker|codex|password-store|1password)"
    r"| \.(mozilla|thunderbird) | google[-/]chrome([ -][a-z]+)? | bravesoftware | microsoft[- ]edge"
    r"| library/safari | \.config/(gcloud|gh|op|chromium|vivaldi|opera) | keyrings | keychains ) /"
)
_PROFILES = frozenset(("firefox", "chromium"))
# Files that are keys, or hold some, by their name; also as somebody's copy.
_PRIVATE_NAME = re.compile(
    r"(?ix) ^ ( \.env (rc)? ([._-].*)? | .*\.env | env[._-](local|dev|test|stag|prod)[a-z]*"
    r"| [._]?netrc | \.(npmrc|pypirc|pgpass|my\.cnf|mylogin\.cnf|s3cfg|boto|dockercfg|vault-token)"
    r"| \.git-credentials | \.htpasswd | \.[a-z_]+_history | \.(X|ICE)authority"
    r"| id_(rsa|dsa|ecdsa|ed25519) ([._-].*)? | .*kubeconfig (\.ya?ml)?"
    r"| .*\.(pem|key|der|p8|p12|pfx|jks|keystore|kdbx?|ppk|asc|gpg|ovpn|token|tfstate|tfvars)"
    r"| (.*[._-])? credentials? (\.(json|ya?ml|toml|ini|txt|csv|db))?"
    r"| (secrets?|auth|tokens?) (\.enc)? (\.(json|ya?ml|toml|ini|txt))?"
    r"| (pass(word|wd|phrase)s? | 密码 | 口令 | 密钥)"
    r"  (\.(json|ya?ml|ini|txt|csv|md|docx?|xlsx?|db))?"
    r"| client_secret.*\.json | service[-_]?account.*\.json"
    r"| cookies (\.(binarycookies|sqlite|json|txt))? | (login|web)\ data | key[34]\.db"
    r"| logins\.json | wallet\.dat | shadow ) (\.(bak|backup|old|orig|save|copy|\d+) | ~)* $"
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


def is_archive(head: bytes, tail: bytes = b"") -> bool:
    """Whether a file begins or ends as an archive does; none is ever opened.

    `tail`: the last ZIP_END_BYTES of a file that `head` is not the whole of. A zip is read
    from its end, whatever stands before it: a picture, or the program that unpacks it.
    """
    end = tail or head
    return (
        head.startswith(_ARCHIVE_SIGNS)
        or _ARCHIVE_HEADS.match(head) is not None
        or _is_old_tar(head[:TAR_BLOCK_BYTES])
        or head[ISO_SIGN_AT:][:5] in (b"CD001", b"BEA01")
        or (b"\0" in end and b"PK\x05\x06" in end[-ZIP_END_BYTES:])
        or end[-DMG_END_BYTES:].startswith(b"koly")
    )


def _is_old_tar(block: bytes) -> bool:
    """Whether this is the header of a tar before POSIX: no sign, but a sum of its bytes.

    In octal, with blanks in its own place; some summed bytes with a sign (tar(5), v7).
    """
    said = block[TAR_SUM_AT : TAR_SUM_AT + 8]
    octal = _OCTAL.fullmatch(said)
    if octal is None or len(block) < TAR_BLOCK_BYTES:
        return False
    total = sum(block) - sum(said) + 8 * ord(" ")
    return int(octal.group(1), 8) in (total, total - 256 * sum(sign > 127 for sign in block))


def is_private_name(parts: Sequence[str], above: Sequence[str] = ()) -> bool:
    """Whether a folder on the way, or the file's own name, is one that keys are kept under.

    `above`: the folder that `parts` begin at, and those that hold it.
    """
    *folders, name = (part.casefold().strip() for part in parts)
    way = "/".join(("", *(part.casefold() for part in above), *folders, ""))
    return (
        _PRIVATE_FOLDER.search(way) is not None
        or not _PROFILES.isdisjoint(folders)
        or _PRIVATE_NAME.match(name) is not None
    )


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
