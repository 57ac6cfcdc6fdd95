"""The ansible-vault file format, version 1.1, AES256.

Ansible documents the format ("ansible-vault payload format 1.1") and reads what is written here; a test holds
the two against each other. It is implemented again because importing Ansible's own code takes longer than a
whole ``sovstack validate`` may.

Layout: a header line, then in hexadecimal, in lines of 80: hex(salt) LF hex(HMAC-SHA256 of the ciphertext) LF
hex(ciphertext). PBKDF2-HMAC-SHA256 with 10 000 rounds gives 80 bytes: cipher key (32), HMAC key (32),
counter (16). The cipher is AES-256-CTR over PKCS#7-padded text.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import textwrap
from binascii import Error as HexError
from binascii import hexlify, unhexlify

_HEADER = "$ANSIBLE_VAULT;1.1;AES256"
_ROUNDS = 10_000
_BLOCK = 16


class VaultError(Exception):
    """The text is not a vault that can be read, or the password is not the one it was made with."""


def is_vault(text: str) -> bool:
    """Tell whether a text begins like an ansible-vault file."""
    return text.startswith("$ANSIBLE_VAULT;")


def encrypt(text: str, password: str) -> str:
    """Return the text as a vault file, ended by a newline; a fresh salt makes every result different."""
    salt = os.urandom(32)
    cipher_key, hmac_key, counter = _keys(password, salt)
    plain = text.encode()
    padding = _BLOCK - len(plain) % _BLOCK
    sealed = _apply_cipher(plain + bytes([padding]) * padding, cipher_key, counter)
    seal = hmac.new(hmac_key, sealed, hashlib.sha256).digest()
    payload = hexlify(b"\n".join(hexlify(part) for part in (salt, seal, sealed))).decode()
    return "\n".join([_HEADER, *textwrap.wrap(payload, 80)]) + "\n"


def decrypt(text: str, password: str) -> str:
    """Return what a vault file holds.

    Raises:
        VaultError: Not a vault of this format, damaged, or another password.
    """
    header, _, body = text.partition("\n")
    fields = header.strip().split(";")
    if (
        len(fields) < 3
        or fields[0] != "$ANSIBLE_VAULT"
        or fields[1] not in {"1.1", "1.2"}
        or fields[2] != "AES256"
    ):
        raise VaultError("not an ansible-vault file of format 1.1 or 1.2 with AES256")
    try:
        salt, seal, sealed = (unhexlify(part) for part in unhexlify("".join(body.split())).split(b"\n"))
    except (HexError, ValueError):
        raise VaultError("the vault is damaged") from None
    cipher_key, hmac_key, counter = _keys(password, salt)
    if not hmac.compare_digest(seal, hmac.new(hmac_key, sealed, hashlib.sha256).digest()):
        raise VaultError("the vault password is not the one the file was made with, or the file is damaged")
    plain = _apply_cipher(sealed, cipher_key, counter)
    return plain[: -plain[-1]].decode() if plain else ""


def _keys(password: str, salt: bytes) -> tuple[bytes, bytes, bytes]:
    derived = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ROUNDS, 80)
    return derived[:32], derived[32:64], derived[64:]


def _apply_cipher(data: bytes, key: bytes, counter: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # costs 30 ms

    context = Cipher(algorithms.AES(key), modes.CTR(counter)).encryptor()
    return context.update(data) + context.finalize()
