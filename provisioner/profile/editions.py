"""What the edition of an application allows: Mattermost's are held against users, single sign-on and licence.

What an edition is limited to is the vendor's, and changes: the catalogue has it, by release.
"""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.errors import UsageError
from provisioner.profile import switches
from provisioner.profile.finding import Finding
from provisioner.profile.model import Profile
from provisioner.profile.problem import Severity, ValuePath
from provisioner.profile.services import MattermostService
from provisioner.releases.catalogue import Catalogue, Release

_CHAT: ValuePath = ("services", "chat")
_EDITION: ValuePath = (*_CHAT, "edition")
_VERSION: ValuePath = (*_CHAT, "version")
_USERS: ValuePath = ("organisation", "users")
_LICENSED = ("professional", "enterprise", "enterprise-advanced")
_LICENCE = "a licence (`edition: professional` and `license_file`)"
_SIGN_ON_SETTINGS = tuple(
    f"{section}Settings.{name}"
    for section, name in [
        *((section, "Enable") for section in ("GitLab", "Google", "Ldap", "Office365", "OpenId", "Saml")),
        ("Ldap", "EnableSync"),
    ]
)
_LICENSED_SETTINGS = (
    "ClusterSettings.Enable",
    "ComplianceSettings.Enable",
    "GuestAccountsSettings.Enable",
    "MetricsSettings.Enable",
    "ServiceSettings.EnforceMultifactorAuthentication",
)


def check(profile: Profile, catalogue: Catalogue) -> Iterator[Finding]:
    """Hold the edition of the chat service against what is wanted of it."""
    service = profile.services.chat
    if service is None:
        return
    yield from _check_licence(service)
    try:
        release = catalogue.release(service.app, service.version, service.archive_edition)
    except UsageError:
        return  # check_releases says so
    if service.edition == "team" or (service.edition == "entry" and release.entry is None):
        yield from _check_users(profile, release)
        yield from _check_sign_on(service, release)
        yield from _check_features(service)
    if service.edition == "entry":
        yield from _check_entry(profile, release)


def _check_licence(service: MattermostService) -> Iterator[Finding]:
    """The editions that need a licence have one, and the others have none.

    An Enterprise archive without a licence is Entry, and becomes what its licence says
    (``server/channels/app/platform/license.go`` of v11); the Team archive does not read licences at all.
    """
    if service.edition in _LICENSED and service.license_file is None:
        yield Finding(
            _EDITION,
            f"edition {service.edition} needs license_file; without one its archive is what the vendor calls Entry",
            "Name the vendor's licence file, or choose `edition: team` or `edition: entry`.",
            because=((*_CHAT, "license_file"),),
        )
    elif service.edition not in _LICENSED and service.license_file is not None:
        yield Finding(
            (*_CHAT, "license_file"),
            f"is not used, because edition {service.edition} has no licence",
            f"Remove it, or name the edition that was bought: {', '.join(_LICENSED)}.",
            because=(_EDITION,),
        )


def _check_users(profile: Profile, release: Release) -> Iterator[Finding]:
    """Team Edition bears the users that are declared.

    The server warns its administrators from the one number on, and lets nobody be added or activated beyond the other
    (``server/channels/app/limits.go``: ``maxUsersLimit``, ``maxUsersHardLimit``, for servers without a licence).
    """
    limit = release.unlicensed_users
    users = profile.organisation.users
    if limit is None or users < (limit.warns_from or limit.most + 1):
        return
    ways = f"{_LICENCE}, another chat application, or fewer users"
    if users > limit.most:
        yield Finding(
            _EDITION,
            f"Team Edition takes at most {limit.most} active users, and organisation.users is {users}",
            f"There are three ways: {ways}.",
            because=(_USERS, _VERSION),
        )
    else:
        yield Finding(
            _EDITION,
            f"Team Edition warns its administrators from {limit.warns_from} active users on and takes at most "
            f"{limit.most}; organisation.users is {users}",
            f"Think in time of {ways}.",
            Severity.WARNING,
            because=(_USERS, _VERSION),
        )


def _check_sign_on(service: MattermostService, release: Release) -> Iterator[Finding]:
    """Single sign-on is wanted only of an edition that has it."""
    for group, name, value in switches.given(service):
        free = name.partition("Settings.")[0] in release.free_sign_on
        if name in _SIGN_ON_SETTINGS and not free and switches.may_be_on(value):
            yield Finding(
                (*_CHAT, group, name),
                f"asks for single sign-on, which Team Edition {release.version} does not have",
                f"There are three ways: {_LICENCE}, another chat application, or accounts of Mattermost's own.",
                because=(_EDITION, _VERSION),
                at_key=True,
            )


def _check_features(service: MattermostService) -> Iterator[Finding]:
    """Settings of features that need a licence are told to do nothing in Team Edition.

    Guests, a second factor for everybody, compliance exports, clusters and metrics are commercial
    (``product-overview/editions-and-offerings.rst`` of the vendor's documentation); the server passes over their
    settings without a licence.
    """
    for group, name, value in switches.given(service):
        if name in _LICENSED_SETTINGS and switches.may_be_on(value):
            yield Finding(
                (*_CHAT, group, name),
                "does nothing in Team Edition: the feature needs a licence",
                f"Remove it, or choose {_LICENCE}.",
                Severity.WARNING,
                because=(_EDITION,),
                at_key=True,
            )


def _check_entry(profile: Profile, release: Release) -> Iterator[Finding]:
    """Entry is told for what it is: a way to try the licensed editions."""
    entry, users = release.entry, profile.organisation.users
    if entry is None:
        yield Finding(
            _EDITION,
            f"{release.version} is from before Entry: without a licence its archive does what Team Edition does",
            f"Choose a later version, `edition: team`, or {_LICENCE}.",
            Severity.WARNING,
            because=(_VERSION,),
        )
        return
    crowd = (
        f", and is meant for less than {entry.users_below} users (organisation.users is {users})"
        if users >= entry.users_below
        else ""
    )
    yield Finding(
        _EDITION,
        f"Entry shows people the last {entry.messages:,} messages only{crowd}",
        f"Choose `edition: team`, or {_LICENCE}.",
        Severity.WARNING,
        because=(_USERS, _VERSION),
    )
