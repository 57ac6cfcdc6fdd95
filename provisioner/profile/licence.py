"""A Mattermost licence: what its file says, held against the profile.

The file is base64 of JSON with 256 bytes of signature after it (``ValidateLicense`` in the server's
``server/channels/utils/license.go``; fields in ``server/public/model/license.go``). Whether the vendor signed it, the
server finds out, which has the vendor's key; one that it refuses leaves what the vendor calls Entry.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from provisioner.profile.finding import Finding
from provisioner.profile.model import Profile
from provisioner.profile.problem import Severity, ValuePath

_FILE: ValuePath = ("services", "chat", "license_file")
_EDITION: ValuePath = ("services", "chat", "edition")
_USERS: ValuePath = ("organisation", "users")
_SIGNATURE_BYTES = 256
# What the file calls them; older licences have other names, which say nothing here.
_EDITIONS = {"professional": "professional", "enterprise": "enterprise", "advanced": "enterprise-advanced"}
_LATEST = 253_402_300_800_000  # the year 10000 in milliseconds, which no date reaches
# A new one has to be bought.
_NOTICE = timedelta(days=60)


def check(content: bytes, profile: Profile, now: datetime) -> Iterator[Finding]:
    """Return what the licence does not allow, or will not allow much longer."""
    service = profile.services.chat
    if service is None or service.edition not in _EDITIONS.values():
        return
    licence = _read(content)
    if licence is None:
        yield Finding(
            _FILE,
            "is not a licence of Mattermost",
            "Name the file that the vendor sent; without a licence the server is what the vendor calls Entry.",
        )
        return
    ends = datetime.fromtimestamp(licence["expires_at"] / 1000, UTC)
    if ends < now + _NOTICE:
        yield Finding(
            _FILE,
            f"{'ended' if ends < now else 'ends'} on {ends:%Y-%m-%d}",
            "Ask the vendor for a new one.",
            Severity.ERROR if ends < now else Severity.WARNING,
        )
    seats = (licence.get("features") or {}).get("users")
    if isinstance(seats, int) and 0 < seats < profile.organisation.users:
        yield Finding(
            _FILE,
            f"is for {seats} users, and organisation.users is {profile.organisation.users}",
            "Buy a licence for all of them, or count those who chat.",
            because=(_USERS,),
        )
    sold = _EDITIONS.get(licence.get("sku_short_name", ""), service.edition)
    if sold != service.edition:
        yield Finding(
            _EDITION,
            f"the licence is for {sold}",
            f"Write `edition: {sold}`, or name another license_file.",
            because=(_FILE,),
        )


def _read(content: bytes) -> dict[str, Any] | None:
    """Return the licence that a file holds, or None where it holds none."""
    try:
        signed = base64.b64decode(b"".join(content.split()), validate=True).rstrip(b"\0")
        licence = json.loads(signed[:-_SIGNATURE_BYTES])
    except (binascii.Error, ValueError):
        return None
    ends = licence.get("expires_at") if isinstance(licence, dict) else None
    return licence if isinstance(ends, int) and 0 <= ends < _LATEST else None
