"""Which host carries what. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from provisioner.profile import media, platform
from provisioner.profile.model import Profile, Site

#: Roles that each host carries, whatever runs on it.
BASE_ROLES = ("base", "firewall")
#: Roles that an application needs on its host, in the order in which they are applied.
APPLICATION_ROLES: Mapping[str, tuple[str, ...]] = {
    "nextcloud": ("tls", "postgresql", "redis", "php_fpm", "nginx", "nextcloud"),
    "mattermost": ("tls", "postgresql", "nginx", "mattermost"),
    "jitsi": ("tls", "nginx", "prosody", "coturn", "jicofo", "jitsi_videobridge", "jitsi_meet"),
    "portal": ("tls", "nginx", "portal"),
}
#: An application's own roles among them, in order, where they are several.
OWN_ROLES: Mapping[str, tuple[str, ...]] = {
    "jitsi": ("prosody", "coturn", "jicofo", "jitsi_videobridge", "jitsi_meet")
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
        wanted |= dict.fromkeys(role for role in _roles_of_site(profile, site, host) if role not in elsewhere)
    return tuple(wanted)


def _roles_of_site(profile: Profile, site: Site, host: str) -> tuple[str, ...]:
    """Return the roles that a site needs on one host; those of meetings may be spread over several."""
    at_home, meet = profile.host_of(site) == host, profile.services.meet
    if site.app != "jitsi" or meet is None:
        return APPLICATION_ROLES[site.app] if at_home else ()
    spread = {
        "coturn": host == media.turn_host(profile, meet),
        "jitsi_videobridge": host in media.videobridge_hosts(profile, meet),
    }
    spread["tls"] = at_home or spread["coturn"]
    return tuple(role for role in APPLICATION_ROLES[site.app] if spread.get(role, at_home))
