"""What the edition of an application allows: Mattermost's are held against users, single sign-on and licence.

What an edition is limited to is the vendor's, and changes: the number of users is in the catalogue, by release.
"""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.errors import UsageError
from provisioner.profile import switches
from provisioner.profile.finding import Finding
from provisioner.profile.model import Profile
from provisioner.profile.problem import Severity, ValuePath
from provisioner.profile.services import MattermostService
from provisioner.releases.catalogue import Catalogue

_CHAT: ValuePath = ("services", "chat")
_EDITION: ValuePath = (*_CHAT, "edition")
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
_ENTRY_USERS = 50


def check(profile: Profile, catalogue: Catalogue) -> Iterator[Finding]:
    """Hold the edition of the chat service against what is wanted of it."""
    service = profile.services.chat
    if service is None:
        return
    yield from _check_licence(service)
    yield from _check_users(profile, service, catalogue)
    if service.edition == "team":
        yield from _check_sign_on(service)
        yield from _check_features(service)
    if service.edition == "entry":
        yield from _check_entry(profile)


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


def _check_users(profile: Profile, service: MattermostService, catalogue: Catalogue) -> Iterator[Finding]:
    """Team Edition bears the users that are declared.

    The server warns its administrators from the one number on, and lets nobody be added or activated beyond the other
    (``server/channels/app/limits.go``: ``maxUsersLimit``, ``maxUsersHardLimit``, for servers without a licence).
    """
    if service.edition != "team":
        return
    try:
        limit = catalogue.release(service.app, service.version, service.archive_edition).unlicensed_users
    except UsageError:
        return  # check_releases says so
    users = profile.organisation.users
    if limit is None or users < (limit.warns_from or limit.most + 1):
        return
    ways = f"{_LICENCE}, another chat application, or fewer users"
    if users > limit.most:
        yield Finding(
            _EDITION,
            f"Team Edition takes at most {limit.most} active users, and organisation.users is {users}",
            f"There are three ways: {ways}.",
            because=(_USERS, (*_CHAT, "version")),
        )
    else:
        yield Finding(
            _EDITION,
            f"Team Edition warns its administrators from {limit.warns_from} active users on and takes at most "
            f"{limit.most}; organisation.users is {users}",
            f"Think in time of {ways}.",
            Severity.WARNING,
            because=(_USERS, (*_CHAT, "version")),
        )


def _check_sign_on(service: MattermostService) -> Iterator[Finding]:
    """Single sign-on is wanted only of an edition that has it.

    Team Edition has none since v11: GitLab's moved to Professional (mattermost#33848, and
    ``server/config/client.go``, which offers it with ``license.Features.OpenId`` only); the others never were in it.
    """
    for group, name, value in switches.given(service):
        if name in _SIGN_ON_SETTINGS and switches.may_be_on(value):
            yield Finding(
                (*_CHAT, group, name),
                "asks for single sign-on, which Team Edition does not have",
                f"There are three ways: {_LICENCE}, another chat application, or accounts of Mattermost's own.",
                because=(_EDITION,),
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


def _check_entry(profile: Profile) -> Iterator[Finding]:
    """Entry is told for what it is: a way to try the licensed editions.

    The vendor shows the last 10,000 messages only, means it for less than 50 users
    (``product-overview/editions-and-offerings.rst`` of its documentation) and keeps older messages in the database.
    """
    few = profile.organisation.users < _ENTRY_USERS
    crowd = (
        ""
        if few
        else f", and is meant for less than {_ENTRY_USERS} users (organisation.users is {profile.organisation.users})"
    )
    yield Finding(
        _EDITION,
        f"Entry shows people the last 10,000 messages only{crowd}",
        f"Choose `edition: team`, or {_LICENCE}.",
        Severity.WARNING,
        because=(_USERS,),
    )
