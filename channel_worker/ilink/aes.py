"""AES-128 in ECB mode, block by block: what iLink's CDN asks for (`ilink-protocol` 7.2).

The work is done by the OpenSSL that Python's own TLS has loaded already. The package
`cryptography` carries a second one, 8 MiB in memory (measured 2026-11-22), which is
more than a whole upload may cost the worker; it serves where the first cannot be
reached, because it is built into the interpreter.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Protocol

BLOCK_BYTES = 16

_ADDRESS, _INT = ctypes.c_void_p, ctypes.c_int
_FUNCTIONS: tuple[tuple[str, object, tuple[object, ...]], ...] = (  # OpenSSL evp.h
    ("EVP_aes_128_ecb", _ADDRESS, ()),
    ("EVP_CIPHER_CTX_new", _ADDRESS, ()),
    ("EVP_CIPHER_CTX_free", None, (_ADDRESS,)),
    ("EVP_CIPHER_CTX_set_padding", _INT, (_ADDRESS, _INT)),
    (
        "EVP_CipherInit_ex",
        _INT,
        (_ADDRESS, _ADDRESS, _ADDRESS, ctypes.c_char_p, ctypes.c_char_p, _INT),
    ),
    (
        "EVP_CipherUpdate",
        _INT,
        (_ADDRESS, ctypes.c_char_p, ctypes.POINTER(_INT), ctypes.c_char_p, _INT),
    ),
)


class Blocks(Protocol):
    """Turns bytes into others; gives whole blocks, and keeps the rest for the next call."""

    def update(self, data: bytes) -> bytes: ...


def encryptor(key: bytes) -> Blocks:
    """Plain to cipher, without padding."""
    return _blocks(key, is_encrypting=True)


def decryptor(key: bytes) -> Blocks:
    """Cipher to plain, without padding."""
    return _blocks(key, is_encrypting=False)


def _blocks(key: bytes, is_encrypting: bool) -> Blocks:
    if len(key) != BLOCK_BYTES:
        raise ValueError("the key must have 16 bytes")
    library = loaded_openssl()
    if library is not None:
        return OpensslBlocks(library, key, is_encrypting)
    return packaged_blocks(key, is_encrypting)


@cache
def loaded_openssl() -> ctypes.CDLL | None:
    """The OpenSSL behind `ssl`; None where it is no library of its own."""
    import _ssl

    try:
        library = ctypes.CDLL(_ssl.__file__)  # a symbol is looked for in what it links to as well
        for name, result, arguments in _FUNCTIONS:
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (AttributeError, OSError):
        return None
    return library


class OpensslBlocks:
    """One context of OpenSSL; it goes with this object."""

    def __init__(self, library: ctypes.CDLL, key: bytes, is_encrypting: bool) -> None:
        self._library = library
        self._context = library.EVP_CIPHER_CTX_new()
        if not self._context:
            raise MemoryError("OpenSSL")
        cipher = library.EVP_aes_128_ecb()
        ready = library.EVP_CipherInit_ex(self._context, cipher, None, key, None, is_encrypting)
        if ready != 1 or library.EVP_CIPHER_CTX_set_padding(self._context, 0) != 1:
            raise ValueError("OpenSSL refuses AES-128-ECB")

    def update(self, data: bytes) -> bytes:
        out = ctypes.create_string_buffer(len(data) + BLOCK_BYTES)  # as evp.h asks for
        written = _INT()
        update = self._library.EVP_CipherUpdate
        if update(self._context, out, ctypes.byref(written), data, len(data)) != 1:
            raise ValueError("OpenSSL failed")
        return ctypes.string_at(out, written.value)

    def __del__(self) -> None:
        self._library.EVP_CIPHER_CTX_free(self._context)


def packaged_blocks(key: bytes, is_encrypting: bool) -> Blocks:
    """The same by the package `cryptography`."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    cipher = Cipher(algorithms.AES128(key), modes.ECB())
    return cipher.encryptor() if is_encrypting else cipher.decryptor()
