"""From a profile to the ordered steps of ``apply``. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.profile.model import Profile
from provisioner.profile.placement import APPLICATION_ROLES, BASE_ROLES, OWN_ROLES, roles_of


@dataclass(frozen=True)
class Step:
    """One role on the hosts that carry it.

    Attributes:
        layer: base, platform or apps, as in ``playbooks/layers/``.
        role: Name of the role.
        hosts: The hosts' keys in the profile.
        why: What the role is there for.
    """

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
    sites = list(profile.sites())
    found = [("base", role, "every host") for role in BASE_ROLES]
    applications = dict.fromkeys(site.app for site in sites)
    own = {role for app in applications for role in OWN_ROLES.get(app, (app,))}
    platform = dict.fromkeys(
        role for app in applications for role in APPLICATION_ROLES[app] if role not in own
    )
    for role in platform:
        users = [app for app in applications if role in APPLICATION_ROLES[app]]
        found.append(("platform", role, f"for {', '.join(users)}"))
    found += [
        ("apps", role, f"{site.name} at {site.hostname}")
        for site in sites
        for role in OWN_ROLES.get(site.app, (site.app,))
    ]
    return Plan(
        tuple(
            Step(layer, role, tuple(host for host in profile.hosts if role in carried[host]), why)
            for layer, role, why in found
        )
    )
