"""How passwords are kept: PBKDF2 with SHA-256 and a salt of their own, in the form that Mattermost 11 keeps them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

_ITERATIONS = 600_000


def hash_password(password: str) -> str:
    """Return a password as it is kept: PBKDF2 with SHA-256 and a salt."""
    salt = secrets.token_bytes(16)
    return (
        f"$pbkdf2$f=SHA256,w={_ITERATIONS},l=32${_text(salt)}${_text(_derive(password, salt, _ITERATIONS))}"
    )


def check_password(password: str, kept: str) -> bool:
    """Say whether a password is the one that is kept."""
    _, _, parameters, salt, expected = kept.split("$")
    iterations = int(dict(word.split("=") for word in parameters.split(","))["w"])
    return hmac.compare_digest(_text(_derive(password, base64.b64decode(salt + "=="), iterations)), expected)


def _derive(password: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")
