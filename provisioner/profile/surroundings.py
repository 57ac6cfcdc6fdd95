"""What this computer says about a profile: whether the files and the time zone that it names can be used."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterator
from pathlib import Path

from provisioner.profile import licence
from provisioner.profile.finding import Finding, suggest
from provisioner.profile.model import Profile
from provisioner.profile.problem import Severity, ValuePath

_MAX_FILE_BYTES = 1024 * 1024
_ISSUER: tuple[ValuePath, ...] = (("tls", "issuer"),)


def check(profile: Profile) -> Iterator[Finding]:
    """Return what does not exist here, or is not what it should be."""
    yield from _check_timezone(profile.organisation.timezone)
    if profile.tls.issuer != "internal" and (file := profile.tls.ca_certificate_file):
        _, finding = _read(("tls", "ca_certificate_file"), file, _ISSUER)
        yield from filter(None, [finding])
    yield from _check_chat(profile)
    if profile.portal and profile.portal.logo_file:
        yield from filter(None, [_read(("portal", "logo_file"), profile.portal.logo_file)[1]])
    if profile.tls.issuer == "provided" and profile.tls.provided:
        yield from _check_provided(profile)


def _check_chat(profile: Profile) -> Iterator[Finding]:
    service = profile.services.chat
    if service is None:
        return
    path: ValuePath = ("services", "chat")
    if service.license_file:
        content, finding = _read((*path, "license_file"), service.license_file)
        yield from filter(None, [finding])
        if content is not None:
            yield from licence.check(content, profile, dt.datetime.now(dt.UTC))


def _check_provided(profile: Profile) -> Iterator[Finding]:
    contents = []
    for key, file in profile.tls.provided or ():
        content, finding = _read(("tls", "provided", key), file, _ISSUER)
        contents.append(content)
        if finding:
            yield finding
    if all(content is not None for content in contents):
        from provisioner.profile import certificate  # costs 50 ms

        chain, private = (content or b"" for content in contents)
        yield from certificate.check(chain, private, profile.hostnames(), dt.datetime.now(dt.UTC))


def _read(
    path: ValuePath, file: str, because: tuple[ValuePath, ...] = ()
) -> tuple[bytes | None, Finding | None]:
    """Return a file's content, or a warning: a profile may be checked where its keys are not."""
    try:
        if Path(file).is_file():
            with Path(file).open("rb") as stream:
                return stream.read(_MAX_FILE_BYTES), None
        reason = f"there is no file {file} on this computer"
    except (OSError, ValueError) as error:
        reason = f"{file} cannot be read here: {getattr(error, 'strerror', error)}"
    hint = "Put it there before `sovstack apply`; a relative path counts from the profile's folder."
    return None, Finding(path, reason, hint, Severity.WARNING, because)


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
