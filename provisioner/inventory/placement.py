"""Which host carries what, and under which address others find it there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provisioner.profile.model import Host, Profile

#: Roles that each host carries, whatever runs on it.
BASE_ROLES = ("base", "firewall")
#: Roles that an application needs on its host, in the order in which they are applied.
APPLICATION_ROLES: Mapping[str, tuple[str, ...]] = {
    "nextcloud": ("tls", "postgresql", "redis", "php_fpm", "nginx", "nextcloud"),
    "mattermost": ("tls", "postgresql", "nginx", "mattermost"),
    "portal": ("tls", "nginx", "portal"),
}


def roles_of(profile: Profile, host: str) -> tuple[str, ...]:
    """Return the roles that a host carries, in the order in which they are applied."""
    wanted = dict.fromkeys(BASE_ROLES)
    for site in profile.sites():
        if profile.host_of(site) == host:
            wanted |= dict.fromkeys(APPLICATION_ROLES[site.app])
    return tuple(wanted)


def groups(profile: Profile) -> dict[str, tuple[str, ...]]:
    """Return the hosts by group; ``role_<role>`` lists the hosts that carry the role."""
    found: dict[str, tuple[str, ...]] = {}
    for host in profile.hosts:
        for role in roles_of(profile, host):
            found[f"role_{role}"] = (*found.get(f"role_{role}", ()), host)
    return found


def host_vars(host: Host) -> dict[str, Any]:
    """Return the variables by which Ansible reaches a host, and what is the host's own."""
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
    for name, host in profile.hosts.items():
        hostnames = [site.hostname for site in profile.sites() if profile.host_of(site) == name]
        if hostnames:
            entries.append({"address": host.address, "names": hostnames})
    return entries
