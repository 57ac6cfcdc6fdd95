"""Which host carries what, and under which address others find it there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provisioner.profile import platform
from provisioner.profile.model import Host, Profile

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


def groups(profile: Profile) -> dict[str, tuple[str, ...]]:
    """Return the hosts by group; ``role_<role>`` lists the hosts that carry the role."""
    found: dict[str, tuple[str, ...]] = {}
    for host in profile.hosts:
        for role in roles_of(profile, host):
            found[f"role_{role}"] = (*found.get(f"role_{role}", ()), host)
    return found


def host_vars(profile: Profile, name: str) -> dict[str, Any]:
    """Return the variables of one host: how Ansible reaches it, and how other hosts do."""
    host = profile.hosts[name]
    variables = _connection(host)
    for part in {link.part: None for link in platform.links(profile) if link.server == name}:
        role = PLATFORM_ROLES[part]
        variables[f"{role}_hostname"] = platform.internal_hostname(profile, name)
        variables[f"{role}_listen_addresses"] = [host.address]
    return variables


def _connection(host: Host) -> dict[str, Any]:
    variables: dict[str, Any] = {
        "ansible_host": host.address,
        "ansible_port": host.ssh.port,
        "ansible_user": host.ssh.user,
        "ansible_become": host.ssh.user != "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        "firewall_ssh_port": host.ssh.port,
    }
    if host.ssh.key_file:
        variables["ansible_ssh_private_key_file"] = host.ssh.key_file
    return variables


def hosts_entries(profile: Profile) -> list[dict[str, Any]]:
    """Return address and names for /etc/hosts, so that services find each other without DNS."""
    entries = []
    internal = platform.internal_hostnames(profile)
    for name, host in profile.hosts.items():
        hostnames = [site.hostname for site in profile.sites() if profile.host_of(site) == name]
        hostnames += [internal[name]] if name in internal else []
        if hostnames:
            entries.append({"address": host.address, "names": hostnames})
    return entries
