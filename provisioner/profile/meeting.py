"""Links into meetings: who holds one is let in as what it says, because the deployment signed it.

The token is a JSON Web Token (RFC 7519) with HMAC-SHA256, as Jitsi's Prosody plugins read it (jitsi-meet,
``resources/prosody-plugins/token/util.lib.lua``).
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from provisioner.errors import UsageError
from provisioner.profile.secrets import Secret

#: Who signs, and for whom; Prosody accepts no other.
ISSUER, AUDIENCE = "sovstack", "jitsi"
#: No link is valid for longer: only a new key takes one back.
LONGEST = timedelta(days=31)
_ROOM = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,98}[a-z0-9])?")
_SKEW = timedelta(seconds=60)  # how far the clocks of this computer and the host may be apart


@dataclass(frozen=True)
class Invitation:
    """What a link allows.

    Attributes:
        hostname: Where meetings are.
        room: The room's name, in lower case, as Prosody has it.
        name: What others see of who joins with it; empty lets people choose.
        moderator: Whether they lead the meeting, and let others in.
        begins: From when it is valid.
        ends: Until when.
    """

    hostname: str
    room: str
    name: str
    moderator: bool
    begins: datetime
    ends: datetime

    def token(self, key: Secret) -> str:
        """Return the signed token."""
        user: dict[str, Any] = {
            "id": str(uuid.uuid4()),
            "moderator": self.moderator,
            "affiliation": "owner" if self.moderator else "member",
        }
        if self.name:
            user["name"] = self.name
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": self.hostname,
            "room": self.room,
            "nbf": int((self.begins - _SKEW).timestamp()),
            "exp": int(self.ends.timestamp()),
            "context": {"user": user},
        }
        return sign(claims, key)

    def link(self, key: Secret) -> str:
        """Return the address that people open."""
        return f"https://{self.hostname}/{quote(self.room)}?jwt={self.token(key)}"


def invite(
    hostname: str, room: str, *, name: str = "", moderator: bool, now: datetime, valid: timedelta
) -> Invitation:
    """Return an invitation for a room.

    Raises:
        UsageError: The room cannot be named so, the name is too long, or the time is too short or too long.
    """
    if not _ROOM.fullmatch(room.lower()):
        raise UsageError(
            f"{room!r} is not the name of a room",
            hint="use at most 100 letters, digits, - and _, such as raadsvergadering-12",
        )
    if len(name) > 100 or not name.isprintable():
        raise UsageError("the name of a participant has at most 100 letters on one line")
    if not timedelta(minutes=1) <= valid <= LONGEST:
        raise UsageError(f"a link is valid for a minute at least and {LONGEST.days} days at most")
    return Invitation(hostname, room.lower(), name, moderator, now, now + valid)


def sign(claims: Mapping[str, Any], key: Secret) -> str:
    """Return claims as a token that is signed with ``key`` (HS256)."""
    header = {"alg": "HS256", "typ": "JWT"}
    text = ".".join(_encode(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return f"{text}.{_encode(hmac.digest(key.reveal().encode(), text.encode(), 'sha256'))}"


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
