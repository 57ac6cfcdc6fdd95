"""Java's key store of type JKS, as far as it holds certificates that a program trusts."""

from __future__ import annotations

import base64
import hashlib
import struct
from pathlib import Path

_MAGIC = 0xFEEDFEED
_TRUSTED = 2
# What Java puts between the password and the content before it takes the digest.
_SALT = b"Mighty Aphrodite"


class KeystoreError(Exception):
    """Java would not open the file."""


def certificates(path: Path, password: str) -> list[str]:
    """Return the trusted certificates as PEM.

    Raises:
        KeystoreError: The file is no such store, was altered, or has another password.
    """
    data = path.read_bytes()
    content, digest = data[:-20], data[-20:]
    if hashlib.sha1(password.encode("utf-16-be") + _SALT + content, usedforsecurity=False).digest() != digest:
        raise KeystoreError(f"{path}: keystore was tampered with, or password was incorrect")
    magic, version, count = struct.unpack(">III", content[:12])
    if (magic, version) != (_MAGIC, 2):
        raise KeystoreError(f"{path}: invalid keystore format")
    position, found = 12, []

    def text() -> str:
        nonlocal position
        (length,) = struct.unpack_from(">H", content, position)
        position += 2 + length
        return content[position - length : position].decode()

    for _ in range(count):
        (tag,) = struct.unpack_from(">I", content, position)
        position += 4
        if tag != _TRUSTED:
            raise KeystoreError(f"{path}: holds more than trusted certificates")
        text()  # its alias
        position += 8  # when it was added
        if text() != "X.509":
            raise KeystoreError(f"{path}: holds a certificate of an unknown kind")
        (length,) = struct.unpack_from(">I", content, position)
        position += 4 + length
        encoded = base64.encodebytes(content[position - length : position]).decode()
        found.append(f"-----BEGIN CERTIFICATE-----\n{encoded}-----END CERTIFICATE-----\n")
    return found
