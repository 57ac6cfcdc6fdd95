"""Links into meetings: what they say, and that nobody else can have said it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from provisioner.errors import UsageError
from provisioner.profile.meeting import Invitation, invite
from provisioner.profile.secrets import Secret

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
KEY = Secret("k" * 32)


def make(**changes: Any) -> Invitation:
    given: dict[str, Any] = {"moderator": True, "now": NOW, "valid": timedelta(hours=8), **changes}
    return invite("meet.zonnedael.example", given.pop("room", "Raad-12"), **given)


def decode(part: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return said


def test_the_token_is_signed_as_the_standard_says() -> None:
    header, claims, signature = make().token(KEY).split(".")
    assert decode(header) == {"alg": "HS256", "typ": "JWT"}
    mac = hmac.new(b"k" * 32, f"{header}.{claims}".encode(), hashlib.sha256).digest()
    assert signature == base64.urlsafe_b64encode(mac).decode().rstrip("=")


def test_the_token_says_who_may_what_and_until_when() -> None:
    claims = decode(make(name="Jan de Vries").token(KEY).split(".")[1])
    user = claims.pop("context")["user"]
    assert claims == {
        "iss": "sovstack",
        "aud": "jitsi",
        "sub": "meet.zonnedael.example",
        "room": "raad-12",
        "nbf": int(NOW.timestamp()) - 60,
        "exp": int(NOW.timestamp()) + 8 * 3600,
    }
    assert len(user.pop("id")) == 36
    assert user == {"name": "Jan de Vries", "moderator": True, "affiliation": "owner"}


def test_a_guest_is_no_moderator_and_may_choose_a_name() -> None:
    user = decode(make(moderator=False).token(KEY).split(".")[1])["context"]["user"]
    assert (user["moderator"], user["affiliation"]) == (False, "member")
    assert "name" not in user


def test_the_link_leads_to_the_room() -> None:
    parts = urlsplit(make().link(KEY))
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "meet.zonnedael.example", "/raad-12")
    assert len(parse_qs(parts.query)["jwt"][0].split(".")) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"room": ""},
        {"room": "a/b"},
        {"room": "r\u00e4um"},
        {"room": "-a"},
        {"room": "a" * 101},
        {"name": "a\nb"},
        {"name": "a" * 101},
        {"valid": timedelta(0)},
        {"valid": timedelta(days=32)},
    ],
)
def test_what_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        make(**changes)


def test_the_key_is_not_in_the_link() -> None:
    assert KEY.reveal() not in make().link(KEY)
