"""From a profile to the ordered steps of ``apply``. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.inventory import roles_of
from provisioner.profile.model import Profile

#: Layers in order, with what each is for; a role belongs to one.
LAYERS = ("base", "platform", "apps")
_ROLES: dict[str, tuple[str, str]] = {
    "base": ("base", "packages, time, security updates"),
    "firewall": ("base", "refuse every connection that the services do not need"),
    "tls": ("platform", "certificates"),
    "postgresql": ("platform", "database"),
    "redis": ("platform", "cache and locks"),
    "php_fpm": ("platform", "PHP"),
    "nginx": ("platform", "web server"),
    "nextcloud": ("apps", "files"),
}


@dataclass(frozen=True)
class Step:
    """One role on the hosts that carry it."""

    layer: str
    role: str
    hosts: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Plan:
    """What ``apply`` does, in order."""

    steps: tuple[Step, ...]


def build(profile: Profile) -> Plan:
    """Return the steps for a profile without errors."""
    carried = {host: roles_of(profile, host) for host in profile.hosts}
    steps = []
    for role, (layer, why) in _ROLES.items():
        if hosts := tuple(host for host, roles in carried.items() if role in roles):
            steps.append(Step(layer, role, hosts, why))
    return Plan(tuple(steps))
