"""Passwords as PostgreSQL keeps them, made on the controller."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

_ITERATIONS = 4096  # PostgreSQL's own default (scram_iterations)
_SALT_BYTES = 16


def postgresql_verifier(password: str, role: str) -> str:
    """The SCRAM-SHA-256 verifier of a role's password (RFC 5802, RFC 7677; src/common/scram-common.c).

    The salt follows from password and role, so that the same password gives the same verifier and a run can compare
    it. That takes nothing away: a salt guards passwords that people choose alike, and these are random. The password
    has to be ASCII, for which SASLprep (RFC 4013) changes nothing.
    """
    if not password.isascii():
        raise ValueError("a password with other characters than ASCII would need SASLprep")
    secret = password.encode()
    salt = hmac.digest(secret, b"sovstack salt\0" + role.encode(), "sha256")[:_SALT_BYTES]
    salted = hashlib.pbkdf2_hmac("sha256", secret, salt, _ITERATIONS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    salt_text, stored_text, server_text = (
        base64.b64encode(part).decode() for part in (salt, stored_key, server_key)
    )
    return f"SCRAM-SHA-256${_ITERATIONS}:{salt_text}${stored_text}:{server_text}"


class FilterModule:
    """Named by Ansible."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Filters by the name under which templates know them."""
        return {"postgresql_verifier": postgresql_verifier}
