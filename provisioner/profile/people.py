"""Whom the profile gives an account: they fit the organisation, and are in teams that it has."""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.profile.finding import Finding, suggest
from provisioner.profile.model import Profile
from provisioner.profile.problem import ValuePath

_USERS: ValuePath = ("services", "chat", "users")
#: Log-in name of the first administrator of every application that has people.
ADMINISTRATOR = "admin"


def check(profile: Profile) -> Iterator[Finding]:
    """Hold the users of the chat service against its teams and the organisation's size."""
    service = profile.services.chat
    if service is None or not service.users:
        return
    if len(service.users) > profile.organisation.users:
        yield Finding(
            _USERS,
            f"names {len(service.users)} people, and organisation.users is {profile.organisation.users}",
            "Raise organisation.users: sizes and the edition's limit follow from it.",
            because=(("organisation", "users"),),
        )
    if ADMINISTRATOR in service.users:
        yield Finding(
            (*_USERS, ADMINISTRATOR),
            "is the first administrator, whom the deployment makes itself",
            "Choose another log-in name.",
            at_key=True,
        )
    owners: dict[str, str] = {profile.organisation.contact.lower(): ADMINISTRATOR}
    for name, person in service.users.items():
        if (owner := owners.setdefault(person.email.lower(), name)) != name:
            yield Finding(
                (*_USERS, name, "email"),
                f"is that of {owner} already",
                "Give everybody an address of their own.",
            )
        for team, channels in person.teams.items():
            path = (*_USERS, name, "teams", team)
            if team not in service.teams:
                yield Finding(
                    path,
                    f"there is no team {team} in services.chat.teams",
                    suggest(team, service.teams) or "Add it there, or remove it here.",
                    at_key=True,
                )
                continue
            known = service.teams[team].channels
            for index, channel in enumerate(channels):
                if channel not in known:
                    yield Finding(
                        (*path, index),
                        f"there is no channel {channel} in services.chat.teams.{team}",
                        suggest(channel, known) or "Add it there, or remove it here.",
                    )
