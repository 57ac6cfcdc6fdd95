"""What this computer says about a profile: whether the files and the time zone that it names exist."""

from __future__ import annotations

import os
import zoneinfo
from collections.abc import Iterator

from provisioner.profile.finding import Finding, suggest
from provisioner.profile.model import Profile
from provisioner.profile.problem import Severity


def check(profile: Profile) -> Iterator[Finding]:
    """Return what does not exist here."""
    yield from _check_timezone(profile.organisation.timezone)
    if profile.tls.issuer == "provided" and profile.tls.provided:
        for key, file in profile.tls.provided:
            if not os.path.isfile(file):  # noqa: PTH113  says no to a path that no system takes
                yield Finding(
                    ("tls", "provided", key),
                    f"there is no file {file} on this computer",
                    "Put it there before `sovstack apply`; a relative path counts from the profile's folder.",
                    Severity.WARNING,
                    because=(("tls", "issuer"),),
                )


def _check_timezone(name: str) -> Iterator[Finding]:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = zoneinfo.available_timezones()
        if known:  # a computer without a time zone database cannot tell
            yield Finding(
                ("organisation", "timezone"),
                f"there is no time zone {name}",
                suggest(name, known) or "Write its IANA name, such as Europe/Amsterdam.",
            )
