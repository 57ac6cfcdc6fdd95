"""The verifier of a password, as PostgreSQL would make it of it itself."""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.util
import re
from pathlib import Path

import pytest

_SOURCE = Path(__file__).parents[3] / "roles/postgresql/filter_plugins/postgresql.py"
_SPECIFICATION = importlib.util.spec_from_file_location("postgresql_filters", _SOURCE)
assert _SPECIFICATION
assert _SPECIFICATION.loader
_MODULE = importlib.util.module_from_spec(_SPECIFICATION)
_SPECIFICATION.loader.exec_module(_MODULE)
verifier = _MODULE.postgresql_verifier


def test_a_client_with_the_password_proves_itself_against_it() -> None:
    """The exchange of RFC 5802, chapter 3, played from both sides."""
    form = r"SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)"
    parts = re.fullmatch(form, verifier("blue-mills-near-utrecht", "nextcloud"))
    assert parts
    salt, stored_key, server_key = (base64.b64decode(part, validate=True) for part in parts.groups()[1:])
    salted = hashlib.pbkdf2_hmac("sha256", b"blue-mills-near-utrecht", salt, int(parts[1]))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    message = b"n=,r=client,r=client-server,s=salt,i=4096,c=biws,r=client-server"
    proof = bytes(
        one ^ other for one, other in zip(client_key, hmac.digest(stored_key, message, "sha256"), strict=True)
    )
    # The server, which has the stored key alone, takes the client's key out of the proof.
    signature = hmac.digest(stored_key, message, "sha256")
    assert hashlib.sha256(bytes(a ^ b for a, b in zip(proof, signature, strict=True))).digest() == stored_key
    assert server_key == hmac.digest(salted, b"Server Key", "sha256")


def test_the_same_password_gives_the_same_verifier_for_one_role_alone() -> None:
    assert verifier("secret", "nextcloud") == verifier("secret", "nextcloud")
    salts = {verifier("secret", role).split("$")[1] for role in ("nextcloud", "mattermost")}
    assert len(salts) == 2


def test_the_password_is_nowhere_in_it() -> None:
    assert "mills" not in verifier("mills", "nextcloud")


def test_a_password_that_would_need_saslprep_is_refused() -> None:
    with pytest.raises(ValueError, match="ASCII"):
        verifier("pässword", "nextcloud")
