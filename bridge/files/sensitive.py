"""Could these bytes or this name hold what should not leave? Suspicion, not proof.

Errs on the side of asking: whoever is wrongly suspected costs its owner one `/yes`
(threat-model R25).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from string import ascii_lowercase, ascii_uppercase, digits

MIN_ENTROPY_BITS = 3.5  # a sign; English words have about 3, random base64 nearly 6
CHANCE = 0.9  # of the most bits that a short value can have
MIN_TOKEN_CHARS = 12
MIN_PASSWORD_CHARS = 8
MIN_WORD = 4  # letters, on the average of a name; of what chance makes, two or three
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
_SMALL, _CAPITAL = ascii_lowercase.encode(), ascii_uppercase.encode()
_LETTERS, _DIGITS = _SMALL + _CAPITAL, digits.encode()
_BETWEEN_WORDS = b"_./-$&*@%~"
_PROGRAM_NAME = re.compile(rb"[$&*@]?[A-Za-z_][\w.]*")


def _encoded(*words: str) -> bytes:
    """The words in each encoding that a text may have, but for its NULs."""
    encodings = ("utf-8", "gb18030", "utf-16-le", "utf-16-be")
    return b"|".join(re.escape(word.encode(name)) for word in words for name in encodings)


# Each kind of token begins here at a sign or two that are rare, and looks back at those before
# it: a pattern with a plain beginning is searched for many times as fast as one without.
_TOKENS = tuple(
    re.compile(pattern)
    for pattern in (
        rb"BEGIN (?:(?<=----BEGIN )|(?<=---- BEGIN ))[A-Z0-9 ]{0,40}PRIVATE KEY",
        rb"K(?:EY-(?<=AGE-SECRET-KEY-)1|ey-(?<=PuTTY-User-Key-)File)",
        rb"I(?:A(?<=\bA[KS]IA)[0-9A-Z]{16}\b|z(?<=\bAIz)a[\w-]{35})",
        rb"J(?:(?<=\beyJ)[\w-]{10,400}\.eyJ[\w-]{10}"
        rb"|T(?<=LS0tLS1CRUdJT)i(?!BDRVJU|BQVUJM))",  # PEM in base64, but for what is public
        rb"k(?:-(?<=\bsk-)[\w-]{20}|_(?<=\b[rs]k_)(?:live|test)_[A-Za-z0-9]{16})",
        rb"h(?:[pousr]_(?<=\bgh._)[A-Za-z0-9]{36}|f_(?<=\bhf_)[A-Za-z0-9]{30})",
        rb"p(?:m_(?<=\bnpm_)[A-Za-z0-9]{36}|ypi-(?<=\bpypi-)[\w-]{50}"
        rb"|at(?:-(?<=\bglpat-)[\w-]{20}|_(?<=\bgithub_pat_)\w{22}))",
        rb"xox(?<=\bxox)[abeoprs]-[\w-]{10}",
        rb"@im(?<=[0-9a-f]{12}@im)\.bot:[\w-]{8}",
    )
)
_BEARER = re.compile(rb"B(?:earer|asic)\s{1,3}([A-Za-z0-9+/_.~-]{16,200})")
_IN_ADDRESS = re.compile(
    rb"://[^\s/:@,\"'<>{}%$*\\]{1,64}:(?!\$)((?:[^\s/:@,\"'<>{}%*\\]|%[0-9A-Fa-f]{2}){6,128})@"
)
# A telling name, and what it is given; looked for in small letters, beginning as above. What it
# is given may hold the next name.
_VALUE = rb"[\"']?\s{0,3}[:=]{1,2}>?\s{0,3}[\"']?(?=([a-z0-9+/_.~!@#$%%^&*-]{%d,200}))"
_KEYS = b"|".join(
    rb"(?<=%s%skey)" % (whose, mark)
    for whose in (b"api", b"access", b"account", b"private", b"client", b"signing", b"encryption")
    for mark in (b"", b"[_-]")
)
_TOKEN_NAMES = tuple(
    re.compile(name + rb"[\w-]{0,20}" + _VALUE % MIN_TOKEN_CHARS)
    for name in (
        rb"ke(?:n(?<=token)|y(?:" + _KEYS + rb"))",
        rb"cre(?:t(?<=secret)|dential)",
        rb"uth(?<=auth)(?:orization|(?![a-z]))",
    )
)
_PASSWORD_NAME = re.compile(
    rb"p(?:ass(?:w(?:or)?d|phrase|(?<=_pass))|wd(?<![a-z]pwd))[\w-]{0,20}"
    + _VALUE % MIN_PASSWORD_CHARS
)
_PASSWORD_IN_CHINESE = re.compile(
    b"(?:%s)\\s{0,3}(?:[:=]|%s)\\s{0,3}([!-~]{%d,200})"
    % (
        _encoded("密码", "口令", "密钥"),
        _encoded("：", "＝", "是", "为"),
        MIN_PASSWORD_CHARS,
    )
)
_WORD = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")  # in HTTPBasicAuth there are three
_PARTED = re.compile(rb"[_./]|[a-z][A-Z]")
_CONSONANTS = re.compile(rb"[bcdfghjklmnpqrstvwxz]{5}")  # in a row: few words have as many
_HEX = re.compile(rb"(?i)(?:0x)?[0-9a-f]{16,}")


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
    return any(_has_token(text) or _gives_secret(text) for text in texts)


def _has_token(text: bytes) -> bool:
    return any(token.search(text) for token in _TOKENS)


def _gives_secret(text: bytes) -> bool:
    """Whether what stands where a token or a password stands looks like one."""
    lowered = text.lower()
    tokens = chain(_BEARER.findall(text), *(_given(text, lowered, name) for name in _TOKEN_NAMES))
    passwords = chain(_IN_ADDRESS.findall(text), _given(text, lowered, _PASSWORD_NAME))
    if not text.isascii():
        passwords = chain(passwords, _PASSWORD_IN_CHINESE.findall(text))
    return any(map(_is_random, tokens)) or any(map(_is_password, passwords))


def _given(text: bytes, lowered: bytes, name: re.Pattern[bytes]) -> Iterator[bytes]:
    """What such names are given, but for what a program calls."""
    for found in name.finditer(lowered):
        start, end = found.span(1)
        is_quoted = text[start - 1 : start] in (b'"', b"'")
        is_opened = text[end : end + 1] in (b"(", b"[", b"{")
        value = text[start:end]
        if is_quoted or not is_opened or _PROGRAM_NAME.fullmatch(value) is None:
            yield value


def _is_random(value: bytes) -> bool:
    """No words: signs of several kinds, and as many different ones as chance would give."""
    if _kinds(value) < 2 or _is_wording(value):
        return False
    enough = min(MIN_ENTROPY_BITS, CHANCE * math.log2(len(value)))
    return _HEX.fullmatch(value) is not None or entropy_bits(value) >= enough


def _is_password(value: bytes) -> bool:
    """A word is none that is worth a question, nor is a path, or a row of stars."""
    is_harmless = value.startswith((b"/", b"~", b".")) or not _has_any(value, _DIGITS)
    is_named = is_harmless and _is_wording(value)
    return _kinds(value) > 1 and len(set(value)) > 4 and not is_named


def _kinds(value: bytes) -> int:
    """How many it has of small letters, capitals and digits."""
    return sum(_has_any(value, signs) for signs in (_SMALL, _CAPITAL, _DIGITS))


def _has_any(value: bytes, signs: bytes) -> bool:
    return len(value.translate(None, signs)) < len(value)


def _is_wording(value: bytes) -> bool:
    """Words, or a name in a program: letters in long runs; with digits, of more than one part."""
    others = value.translate(None, _LETTERS + _BETWEEN_WORDS)
    if others and not (others.isdigit() and _PARTED.search(value)):
        return False
    return len(others) <= len(value) // 3 and _reads(value)


def _reads(value: bytes) -> bool:
    """Whether its letters stand together as in words: chance puts capitals between them."""
    words = _WORD.findall(value)
    return sum(map(len, words)) >= MIN_WORD * len(words) and not _CONSONANTS.search(value)


def entropy_bits(value: bytes) -> float:
    """Shannon entropy of a value, in bits for each of its signs."""
    counts = Counter(value).values()
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts)
