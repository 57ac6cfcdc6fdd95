"""Which host carries what. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from provisioner.profile import platform
from provisioner.profile.model import Profile

#: Roles that each host carries, whatever runs on it.
BASE_ROLES = ("base", "firewall")
#: Roles that an application needs on its host, in the order in which they are applied.
APPLICATION_ROLES: Mapping[str, tuple[str, ...]] = {
    "nextcloud": ("tls", "postgresql", "redis", "php_fpm", "nginx", "nextcloud"),
    "mattermost": ("tls", "postgresql", "nginx", "mattermost"),
    "portal": ("tls", "nginx", "portal"),
}
#: The role of each part of the platform that can have a host of its own, by its key in the profile.
PLATFORM_ROLES: Mapping[str, str] = {"database": "postgresql", "cache": "redis"}


def roles_of(profile: Profile, host: str) -> tuple[str, ...]:
    """Return the roles that a host carries, in the order in which they are applied."""
    wanted = dict.fromkeys(BASE_ROLES)
    for link in platform.links(profile):
        if link.server == host:
            wanted |= dict.fromkeys(("tls", PLATFORM_ROLES[link.part]))
    placed = dict(profile.platform.placed())
    elsewhere = {role for part, role in PLATFORM_ROLES.items() if placed.get(part, host) != host}
    for site in profile.sites():
        if profile.host_of(site) == host:
            wanted |= dict.fromkeys(role for role in APPLICATION_ROLES[site.app] if role not in elsewhere)
    return tuple(wanted)
