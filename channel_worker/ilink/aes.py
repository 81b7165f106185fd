"""AES-128 in ECB mode, block by block: what iLink's CDN asks for (`ilink-protocol` 7.2).

The work is done by the OpenSSL that Python's own TLS has loaded already. The package
`cryptography` carries a second one: 8.5 MiB of memory for the first file, which is more
than a whole upload may cost the worker (issue 3: 2 MiB), at 1,750 MiB/s against 1,470
(measured 2026-11-22, Linux, Python 3.11). No library is looked for by a name of its own:
`_ssl` is asked for what it is linked to, be that OpenSSL or LibreSSL. Where that cannot
be had (built into the interpreter, no `ctypes`, a missing function, a wrong result for a
published vector), the package serves.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from bridge.wire import log

if TYPE_CHECKING:
    from ctypes import CDLL

BLOCK_BYTES = 16

# NIST SP 800-38A, F.1.1: what a library must give before it is trusted.
VECTOR_KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
VECTOR_PLAIN = bytes.fromhex("6bc1bee22e409f96e93d7e117393172a")
VECTOR_CIPHER = bytes.fromhex("3ad77bb40d7a3660a89ecaf32466ef97")

_log = log.get("aes")


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
def loaded_openssl() -> CDLL | None:
    """The OpenSSL behind `ssl`, once it has proved itself; None where it cannot be used."""
    try:
        library = _typed_openssl()
        there = OpensslBlocks(library, VECTOR_KEY, is_encrypting=True).update(VECTOR_PLAIN)
        back = OpensslBlocks(library, VECTOR_KEY, is_encrypting=False).update(VECTOR_CIPHER)
    except Exception as failed:  # whatever it is, the package can do the work
        _log.info("aes.packaged", why=type(failed).__name__)
        return None
    return library if (there, back) == (VECTOR_CIPHER, VECTOR_PLAIN) else None


def _typed_openssl() -> CDLL:
    """The library with the signatures of OpenSSL's evp.h; raises what the system raises."""
    import _ssl
    from ctypes import CDLL, POINTER, c_char_p, c_int, c_void_p

    library = CDLL(_ssl.__file__)  # a symbol is looked for in what it links to as well
    signatures: dict[str, tuple[Any, ...]] = {  # Any: types of ctypes; the result comes first
        "EVP_aes_128_ecb": (c_void_p,),
        "EVP_CIPHER_CTX_new": (c_void_p,),
        "EVP_CIPHER_CTX_free": (None, c_void_p),
        "EVP_CIPHER_CTX_set_padding": (c_int, c_void_p, c_int),
        "EVP_CipherInit_ex": (c_int, c_void_p, c_void_p, c_void_p, c_char_p, c_char_p, c_int),
        "EVP_CipherUpdate": (c_int, c_void_p, c_char_p, POINTER(c_int), c_char_p, c_int),
    }
    for name, (result, *arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class OpensslBlocks:
    """One context of OpenSSL; it goes with this object."""

    _context: int | None = None

    def __init__(self, library: CDLL, key: bytes, is_encrypting: bool) -> None:
        self._library = library
        self._context = library.EVP_CIPHER_CTX_new()
        if not self._context:
            raise MemoryError("OpenSSL")
        cipher = library.EVP_aes_128_ecb()
        ready = library.EVP_CipherInit_ex(self._context, cipher, None, key, None, is_encrypting)
        if ready != 1 or library.EVP_CIPHER_CTX_set_padding(self._context, 0) != 1:
            raise ValueError("OpenSSL refuses AES-128-ECB")

    def update(self, data: bytes) -> bytes:
        from ctypes import byref, c_int, create_string_buffer, string_at

        out = create_string_buffer(len(data) + BLOCK_BYTES)  # as evp.h asks for
        written = c_int()
        update = self._library.EVP_CipherUpdate
        if update(self._context, out, byref(written), data, len(data)) != 1:
            raise ValueError("OpenSSL failed")
        return string_at(out, written.value)

    def __del__(self) -> None:
        if self._context:
            self._library.EVP_CIPHER_CTX_free(self._context)


def packaged_blocks(key: bytes, is_encrypting: bool) -> Blocks:
    """The same by the package `cryptography`."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    cipher = Cipher(algorithms.AES128(key), modes.ECB())
    return cipher.encryptor() if is_encrypting else cipher.decryptor()
