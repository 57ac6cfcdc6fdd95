"""The hosts as Ansible sees them: groups by role, how each is reached, and their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provisioner.profile import media, platform
from provisioner.profile.model import Host, Profile
from provisioner.profile.placement import PLATFORM_ROLES, roles_of

#: What the role base has an SSH server offer by itself.
HOST_KEY_ALGORITHMS = ("ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256")
_ECDSA = ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")


def groups(profile: Profile, present: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return the hosts by group; ``role_<role>`` lists the hosts that carry the role, or have it ``present``."""
    found: dict[str, tuple[str, ...]] = {}
    for host in profile.hosts:
        for role in dict.fromkeys((*roles_of(profile, host), *present.get(host, ()))):
            found[f"role_{role}"] = (*found.get(f"role_{role}", ()), host)
    return found


def host_vars(profile: Profile, name: str, recorded_keys: Sequence[str]) -> dict[str, Any]:
    """Return the variables of one host: how Ansible reaches it, and how other hosts do."""
    host = profile.hosts[name]
    variables = _connection(host) | _host_keys([host.ssh.host_key] if host.ssh.host_key else recorded_keys)
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


def _host_keys(known: Sequence[str]) -> dict[str, Any]:
    """Return what a host offers whose known key the role would leave out, and nobody could reach it any more."""
    kinds = [key.split()[0] for key in known]
    if ecdsa := [kind for kind in _ECDSA if kind in kinds]:
        return {"base_ssh_host_key_algorithms": [*HOST_KEY_ALGORITHMS, *ecdsa]}
    return {}


def hosts_entries(profile: Profile) -> list[dict[str, Any]]:
    """Return address and names for /etc/hosts, so that services find each other without DNS."""
    entries = []
    internal = platform.internal_hostnames(profile)
    for name, host in profile.hosts.items():
        hostnames = [site.hostname for site in profile.sites() if profile.host_of(site) == name]
        hostnames += media.hostnames(profile, name)
        hostnames += [internal[name]] if name in internal else []
        if hostnames:
            entries.append({"address": host.address, "names": hostnames})
    return entries
