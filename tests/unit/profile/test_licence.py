"""A licence is read before the server reads it; these are made here, and signed by nobody."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from provisioner.profile import licence, read_profile
from provisioner.profile.finding import Finding
from provisioner.profile.problem import Severity

NOW = datetime(2026, 11, 28, tzinfo=UTC)
PROFILE = """
version: 1
organisation: {name: Zonnedael, domain: zonnedael.example, country: NL, contact: ict@zonnedael.example, users: 180}
hosts: {main: {address: 192.0.2.10, provider: on-premise, location: NL}}
services:
  chat: {app: mattermost, hostname: chat.zonnedael.example, edition: professional, license_file: mattermost.license}
secrets: {vault_password: {file: password}}
"""


def signed(content: object) -> bytes:
    """What the vendor's file looks like."""
    return base64.encodebytes(json.dumps(content).encode() + b"\1" * 256 + b"\0")


def bought(*, days: int = 300, users: int = 200, sku: str = "professional") -> dict[str, Any]:
    ends = int((NOW + timedelta(days=days)).timestamp() * 1000)
    return {"id": "abc", "expires_at": ends, "features": {"users": users}, "sku_short_name": sku}


@pytest.fixture
def find(tmp_path: Path) -> Any:
    (tmp_path / "profile.yml").write_text(PROFILE)
    # A licence that can be read, so that reading the profile finds nothing.
    (tmp_path / "mattermost.license").write_bytes(signed(bought() | {"expires_at": 4_000_000_000_000}))
    profile = read_profile(tmp_path / "profile.yml").profile

    def run(content: bytes) -> list[Finding]:
        return list(licence.check(content, profile, NOW))

    return run


def test_a_licence_that_fits_is_no_finding(find: Any) -> None:
    assert find(signed(bought())) == []
    assert find(signed(bought(users=0))) == []
    assert find(signed(bought(sku="E10"))) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        b"\xff\xfe",
        base64.b64encode(b"short"),
        signed([]),
        signed({"id": "abc"}),
        signed({"expires_at": "tomorrow"}),
        signed({"expires_at": 10**40}),
        b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    ],
)
def test_what_is_no_licence_is_refused(find: Any, content: bytes) -> None:
    (finding,) = find(content)
    assert finding.message == "is not a licence of Mattermost"
    assert finding.severity is Severity.ERROR


@pytest.mark.parametrize(
    ("licence", "words", "severity"),
    [
        ({"days": -1}, "ended on 2026-11-27", Severity.ERROR),
        ({"days": 59}, "ends on 2027-01-26", Severity.WARNING),
        ({"users": 179}, "is for 179 users, and organisation.users is 180", Severity.ERROR),
        ({"sku": "advanced"}, "the licence is for enterprise-advanced", Severity.ERROR),
    ],
)
def test_what_a_licence_does_not_allow_is_named(
    find: Any, licence: dict[str, Any], words: str, severity: Severity
) -> None:
    (finding,) = find(signed(bought(**licence)))
    assert (finding.message, finding.severity) == (words, severity)
