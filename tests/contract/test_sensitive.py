"""What looks like a secret or an archive, and a content without any costs little."""

from __future__ import annotations

import io
import lzma
import tarfile
import time
import zipfile
from base64 import b64encode
from random import Random
from string import ascii_letters, digits, hexdigits

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
    "hf" + "_" + "a1B2" * 8,
    "rk_" + "live_" + "a1" * 8,
    "sk_" + "test_" + "a1" * 8,
    "AGE-SECRET-" + "KEY-1" + "Q7" * 29,
    "PuTTY-User-" + "Key-File-3: ssh-ed25519",
    "-----BEGIN ENCRYPTED " + "PRIVATE KEY-----",
    "---- BEGIN SSH2 ENCRYPTED " + "PRIVATE KEY ----",
    *(b64encode(f"-----BEGIN {kind}PRIVATE KEY-----".encode()).decode() for kind in ("", "EC ")),
]
HEX = "8f14e45fceea167a" + "5a36dedd4bea2543"
RANDOM = "zX9$kQ2m" + "P7vL4wRt"
GIVEN = [
    f"Authorization: Bearer {HEX}",
    f'{{"Authorization": "Bearer {HEX}"}}',
    "Authorization: Basic " + "dXNlcjpTdXBlclNlY3JldDE=",
    f'{{"auths": {{"r.io": {{"auth": "{HEX}"}}}}}}',
    "DATABASE_URL=postgres://admin:" + "S3cr3tP4ss9x@db.host/prod",
    f"git clone https://me:{HEX}@github.com/a/b.git",
    "amqp://me:" + "p%40ssW0rd@mq",
    f"private_key=0x{HEX}{HEX}",
    f"    client-key-data: {HEX}{HEX}",
    f"AccountName=me;AccountKey={HEX}==;",
    f"token := {HEX[:16]}",
    f"'access-key' => '{HEX}'",
    f"passphrase: {RANDOM}",
    f"pwd={RANDOM}",
    f"DB_PASS={RANDOM}",
    'password: "hunter2' + '!Ab"',
    "password: correct" + "Horse7",
    f"token=none&client=anybody&refresh_token={RANDOM}",
    f"密码：{RANDOM}",
    f"口令={RANDOM}",
    f"密钥 是 {RANDOM}",
]
EVERYDAY = [
    "auth = HTTPBasicAuth(user, word)",
    "auth_server_provider: OAuthAuthorizationServerProvider | None",
    "token = Name.Builtin.Pseudo",
    "token = secrets.token_hex2(16)",
    "credentials = standard_b64encode",
    'AUTHORITY_KEY_IDENTIFIER: "authorityKeyIdentifier"',
    "authority: NamingAuthority",
    "private_key: Ed25519PrivateKey",
    "'secret_ref': 'V1LocalObjectReference'",
    "--token-secret=projects/123/secrets/my-token/versions/1",
    "password = self.cleaned_data['password2']",
    "password = forms.CharField1(widget=PasswordInput)",
    "password: ********",
    "password: correct-horse-battery",
    "PWD=/home/me/work2/project",
    "postgres://user:password@localhost/db",
    "postgres://${USER}:${PASSWORD1}@localhost/db",
    "see https://example.com:8443/a1B2c3D4/x@y",
    "Basic authentication and Bearer authentication",
    "-----BEGIN CERTIFICATE-----",
    "ca-data: " + b64encode(b"-----BEGIN CERTIFICATE-----\nMII").decode(),
    "key: " + b64encode(b"-----BEGIN PUBLIC KEY-----\nMII").decode(),
    "密码：请自行设置，不少于八位。",
    "密码：your-password-here",
]


def zipped(comment: bytes = b"") -> bytes:
    """A zip with one file in it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a", "x")
        archive.comment = comment
    return made.getvalue()


def tarred(format: int) -> bytes:
    """The same as a tar."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=format) as archive:
        archive.addfile(tarfile.TarInfo("名.txt"))
    return made.getvalue()


def old_tar() -> bytes:
    """A tar as it was before it had a sign: with a sum of its header instead."""
    block = bytearray(tarred(tarfile.USTAR_FORMAT)[:512])
    block[257:] = bytes(255)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


ARCHIVES = {
    "zip": zipped(),
    "zip without files": b"PK\5\6" + bytes(18),
    "zip of many disks": b"PK\7\x08PK\3\4",
    "zip behind a script": b"#!/bin/sh\nexit\n" + zipped(),
    "tar": tarred(tarfile.USTAR_FORMAT),
    "gnu tar": tarred(tarfile.GNU_FORMAT),
    "pax": tarred(tarfile.PAX_FORMAT),
    "old tar": old_tar(),
    "gzip": b"\x1f\x8b\x08",
    "gzip behind a script": b"#! /bin/bash\ntail -n +3 $0 | tar xz\n\x1f\x8b\x08\0\0",
    "compress": b"\x1f\x9d\x90",
    "bzip2": b"BZh91AY",
    "xz": lzma.compress(b"x" * 1000),
    "lzma": lzma.compress(b"x" * 1000, format=lzma.FORMAT_ALONE),
    "lzma of a known size": b"\x5d\0\0\x80\0\xe8\3" + bytes(6),
    "lzip": b"LZIP\1",
    "lzop": b"\x89LZO\0\r\n\x1a\n",
    "zstd": b"\x28\xb5\x2f\xfd",
    "zstd behind a skipped frame": b"\x5e\x2a\x4d\x18\4\0\0\0abcd\x28\xb5\x2f\xfd",
    "lz4": b"\x04\x22\x4d\x18",
    "old lz4": b"\x02\x21\x4c\x18",
    "snappy": b"\xff\x06\0\0sNaPpY",
    "7z": b"7z\xbc\xaf\x27\x1c",
    "rar": b"Rar!\x1a\x07\0",
    "cab": b"MSCF\0\0\0\0",
    "wim": b"MSWIM\0\0\0",
    "ace": b"\x31\x2c\x31\0\0\0\x90**ACE**",
    "arj": b"\x60\xea\x2a\0\x22\x0b\1",
    "lha": b"\x24\x60-lh5-\x10",
    "zoo": b"ZOO 2.10 Archive.\x1a",
    "cpio": b"070701" + b"0" * 104,
    "cpio with sums": b"070702" + b"0" * 104,
    "old cpio": b"070707" + b"0" * 70,
    "binary cpio": b"\xc7\x71\2\3" + bytes(22),
    "binary cpio of the other order": b"\x71\xc7\2\3" + bytes(22),
    "deb": b"!<arch>\ndebian-binary",
    "rpm": b"\xed\xab\xee\xdb\3",
    "pkg": b"xar!\0\x1c",
    "squashfs": b"hsqs\1",
    "git pack": b"PACK\0\0\0\2",
    "git bundle": b"# v2 git bundle\n",
    "asar": b"\4\0\0\0" + b"\x10\0\0\0" * 3 + b'{"files":{}}',
    "iso": bytes(32_769) + b"CD001",
    "udf": bytes(32_769) + b"BEA01",
    "dmg": bytes(1_000) + b"koly" + bytes(508),
    "qcow": b"QFI\xfb",
    "vmdk": b"KDMV\1",
    "vhd": b"conectix\0",
    "vhdx": b"vhdxfile",
}
NO_ARCHIVES = {
    "markdown with Korean": "`가나다`는 명령입니다.".encode(),
    "Latin with a caron": "qǀx".encode(),
    "number": b"070701 is where " + b"0" * 60 + b" begins",
    "name": b"BZhang, ZOO and LZIP wrote this",
    "xar in words": b"xar! they said",
    "script": b"#!/bin/sh\necho 7z Rar PK\n",
    "audio": b"#!AMR\n\0\0",
    "empty tar header": bytes(512),
    "column of digits": b"0000644 " * 64,
    "pdf": b"%PDF-1.7\n" + bytes(600),
}


@pytest.mark.parametrize("content", ARCHIVES.values(), ids=ARCHIVES)
def test_every_kind_of_archive_is_known(content: bytes) -> None:
    """R25: by its content alone."""
    assert sensitive.is_archive(content)


@pytest.mark.parametrize("content", NO_ARCHIVES.values(), ids=NO_ARCHIVES)
def test_no_text_is_taken_for_an_archive(content: bytes) -> None:
    """Ours: where a sign is made of letters, more than the sign is looked for."""
    assert not sensitive.is_archive(content)


@pytest.mark.parametrize("token", TOKENS)
def test_every_kind_of_token_is_suspected(token: str) -> None:
    """R25: in the middle of a text, and as UTF-16."""
    text = f"use {token} for it"
    assert sensitive.holds_secret(text.encode())
    assert sensitive.holds_secret(text.encode("utf-16"))


@pytest.mark.parametrize("text", GIVEN)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "utf-32", "gb18030"])
def test_what_a_telling_place_is_given_is_suspected(text: str, encoding: str) -> None:
    """R25: in headers, addresses, settings and notes, in any encoding of them."""
    assert sensitive.holds_secret(f"# 说明\n{text}\n".encode(encoding))


@pytest.mark.parametrize("text", EVERYDAY)
def test_code_and_prose_about_secrets_are_not_suspected(text: str) -> None:
    """Ours: a gate that always asks is one that nobody reads."""
    assert not sensitive.holds_secret(f"{text}\n".encode())


@pytest.mark.parametrize(
    "alphabet", [ascii_letters + digits, ascii_letters + digits + "-_", hexdigits[:16]]
)
def test_what_chance_makes_is_no_word(alphabet: str) -> None:
    """R25: of a hundred tokens at most one reads like a name in a program."""
    chance = Random(7)
    tokens = ["".join(chance.choices(alphabet, k=24)) for _ in range(300)]
    missed = [one for one in tokens if not sensitive.holds_secret(f"API_KEY={one}\n".encode())]
    assert len(missed) <= 3


PRIVATE_NAMES = """
.env .env.local .env-prod .env_test .envrc .ENV prod.env env.local env.production .netrc _netrc
.npmrc .pypirc .pgpass .my.cnf .s3cfg .vault-token .git-credentials .htpasswd .bash_history
.zsh_history .psql_history .Xauthority id_rsa id_rsa.bak id_ed25519.old id_ed25519~ server.pem
id.der a.p12 a.kdbx a.kdb a.ppk a.ovpn terraform.tfstate terraform.tfstate.backup prod.tfvars
kubeconfig kubeconfig.yaml my-kubeconfig credentials credentials.json credentials.db
application_default_credentials.json ilink_credentials.json aws-credentials.csv secrets.yaml
secrets.yaml.bak secrets.enc.yaml secret.txt auth.json tokens.json token.txt password.txt
passwords.txt passwords.xlsx 密码.txt 口令.docx client_secret_12.json service-account.json Cookies
Cookies.binarycookies key4.db logins.json wallet.dat shadow
"""
PUBLIC_NAMES = """
env.py environment.yml envelope.md events.envoy README id.txt rsa.py known_hosts authorized_keys
history.md bash_history.md tokens.py tokenizer.json authors.txt auth.py password.py passwords.py
cookies.py cookies.md keyboard.json monkey.db secretary.txt shadow.css credentials.py 密码学.pdf
keys.csv service.json client.json
"""
PRIVATE_WAYS = """
.git/config a/.ssh/config .Git/HEAD .codex/auth.db .config/gh/hosts.yml .config/gcloud/x.db
Google/Chrome/Default/History .config/google-chrome/x google-chrome-beta/x microsoft-edge/x
.config/BraveSoftware/Brave-Browser/Default/History firefox/x/places chromium/x .mozilla/x
.thunderbird/x Library/Safari/History Library/Keychains/x share/keyrings/x .1password/x
"""


def test_every_name_that_keys_have_is_suspected() -> None:
    """R25: dot-env, key and credential files, also as somebody's copy of one."""
    assert [name for name in PRIVATE_NAMES.split() if not sensitive.is_private_name((name,))] == []


def test_names_that_only_resemble_them_are_not_suspected() -> None:
    """Ours: code about passwords is no password."""
    assert [name for name in PUBLIC_NAMES.split() if sensitive.is_private_name((name,))] == []


def test_every_folder_of_keys_and_profiles_is_suspected() -> None:
    """R25: `.git` internals, CODEX_HOME by its usual name, browser profiles of any system."""
    ways = [*(way.split("/") for way in PRIVATE_WAYS.split()), ["Microsoft Edge", "x"]]
    assert [way for way in ways if not sensitive.is_private_name(way)] == []


def test_folders_above_the_root_count_where_their_name_is_plain() -> None:
    """R25; somebody may well work on a browser."""
    assert sensitive.is_private_name(("a.txt",), ("/", "home", "me", ".ssh"))
    assert not sensitive.is_private_name(("a.txt",), ("/", "home", "me", "firefox", "exports"))
    assert not sensitive.is_private_name(("a.txt",), ("/", "home", "me", "secrets", "env"))


@pytest.mark.parametrize("name", ["password", "PASSWD", "client_secret", "Api-Key", "auth_token"])
def test_every_telling_name_is_looked_behind(name: str) -> None:
    """R25: high entropy in an assignment."""
    assert sensitive.holds_secret(f'{name} = "zX9$kQ2mP7vL4wRt"'.encode())


@pytest.mark.parametrize(
    "line", [b"line of a report\n", b"author=anna, key=monkey, a token: none\n"]
)
def test_large_content_is_not_read_sign_by_sign(line: bytes) -> None:
    """R9: as much as an artifact may hold, in a moment; also where it speaks of keys."""
    began_s = time.process_time()
    assert not sensitive.holds_secret(line * (20 * 1024 * 1024 // len(line)))
    assert time.process_time() - began_s < 5  # sign by sign takes longer
