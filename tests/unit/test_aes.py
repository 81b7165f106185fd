"""The CDN's cipher: the published vectors, any chopping, and both libraries alike."""

from __future__ import annotations

import ctypes  # noqa: F401  # loads _ctypes, a library that is linked to no OpenSSL
import importlib
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channel_worker.ilink import aes
from tests.unit.table import table

KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")  # NIST SP 800-38A, F.1.1
PLAIN = bytes.fromhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
CIPHER = bytes.fromhex("3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf")


def test_published_vectors_hold_in_both_directions() -> None:
    """NIST SP 800-38A, F.1.1 and F.1.2."""
    assert aes.encryptor(KEY).update(PLAIN) == CIPHER
    assert aes.decryptor(KEY).update(CIPHER) == PLAIN


@given(st.binary(max_size=200), st.binary(min_size=16, max_size=16), st.integers(1, 50))
def test_both_libraries_give_the_same_however_it_is_chopped(
    content: bytes, key: bytes, length: int
) -> None:
    """Ours: whole blocks at once, the rest with the next piece."""
    library = aes.loaded_openssl()
    if library is None:
        pytest.skip("this interpreter has its OpenSSL built in")
    pieces = [content[at : at + length] for at in range(0, len(content), length)]
    for is_encrypting in (True, False):
        ours = aes.OpensslBlocks(library, key, is_encrypting)
        theirs = aes.packaged_blocks(key, is_encrypting)
        assert [ours.update(piece) for piece in pieces] == [theirs.update(p) for p in pieces]


class _Wrong:
    """A library that has every function, and gives back what it was given."""

    def __init__(self, _path: str) -> None:
        self.EVP_CIPHER_CTX_new = lambda: 1
        for name in ("EVP_aes_128_ecb", "EVP_CIPHER_CTX_free", "EVP_CIPHER_CTX_set_padding"):
            setattr(self, name, lambda *_: 1)
        self.EVP_CipherInit_ex = lambda *_: 1
        self.EVP_CipherUpdate = lambda *_: 1


def _refusing(_path: str) -> None:
    raise OSError("image not found")


@table(
    ("where", "name", "value"),
    {
        "built in": ("_ssl", "__file__", None),
        "gone": ("_ssl", "__file__", "/nowhere/_ssl.so"),
        "linked to no OpenSSL": ("_ssl", "__file__", sys.modules["_ctypes"].__file__),
        "no ctypes": ("ctypes", "CDLL", None),
        "not loaded": ("ctypes", "CDLL", _refusing),
        "wrong result": ("ctypes", "CDLL", _Wrong),
    },
)
def test_package_serves_where_the_loaded_library_cannot(
    monkeypatch: pytest.MonkeyPatch, where: str, name: str, value: object
) -> None:
    """Ours: macOS with LibreSSL, static interpreters, hardened ones."""
    module = importlib.import_module(where)
    if value is None:
        monkeypatch.delattr(module, name, raising=False)
    else:
        monkeypatch.setattr(module, name, value, raising=False)
    aes.loaded_openssl.cache_clear()
    try:
        assert aes.loaded_openssl() is None
        assert aes.encryptor(KEY).update(PLAIN) == CIPHER
        assert aes.decryptor(KEY).update(CIPHER) == PLAIN
    finally:
        monkeypatch.undo()
        aes.loaded_openssl.cache_clear()


@table("size_bytes", [0, 15, 17, 32])
def test_key_of_another_size_is_refused(size_bytes: int) -> None:
    """AES-128 alone."""
    with pytest.raises(ValueError, match="16 bytes"):
        aes.encryptor(bytes(size_bytes))
