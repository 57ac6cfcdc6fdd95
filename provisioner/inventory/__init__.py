"""From a profile to the variables of the roles: the only place where the two meet.

Pure: no file, no network, no clock. Secrets go by reference to ``stack_secrets``, which Ansible reads from
the vaulted file itself. One module per application; ``placement`` says where things run, ``platform`` holds
what they stand on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import yaml

from provisioner import sizing
from provisioner.inventory import jitsi, mattermost, nextcloud, placement, platform, portal
from provisioner.inventory.model import Inventory, ReleaseRef
from provisioner.profile import memory
from provisioner.profile.model import Profile
from provisioner.releases.catalogue import Catalogue, Release
from provisioner.sizing import Budget

__all__ = ["Inventory", "ReleaseRef", "build", "dump", "wanted_releases"]


def dump(content: Mapping[str, Any]) -> str:
    """Return the YAML text of an inventory file."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return yaml.dump(dict(content), Dumper=dumper, sort_keys=False, allow_unicode=True)


def build(
    profile: Profile,
    releases: Mapping[str, ReleaseRef],
    *,
    deployment: str,
    budgets: Mapping[str, Budget] | None = None,
    recorded_keys: Mapping[str, Sequence[str]] = MappingProxyType({}),
    present: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Inventory:
    """Return the inventory of a deployment.

    Args:
        profile: A profile without errors.
        releases: By application, package or plugin, what is installed (see ``wanted_releases``).
        deployment: The deployment's name.
        budgets: How every host's memory is divided; default: what the profile declares is.
        recorded_keys: By host, the SSH host keys by which it is known where the profile pins none.
        present: By host, further roles that are there, which the profile need not name.
    """
    budgets = memory.budgets(profile) if budgets is None else budgets
    meet = profile.services.meet
    connections = sizing.connections(budgets, profile.organisation.users)
    return Inventory(
        groups=placement.groups(profile, present),
        group_vars_all=_group_vars_all(profile, releases, deployment),
        host_vars={
            name: placement.host_vars(profile, name, recorded_keys.get(name, ()))
            | (jitsi.host_variables(profile, meet, name) if meet else {})
            | sizing.variables(budgets[name], connections=connections)
            # Then no role's size is a share of what Ansible would have to ask the host for.
            | {"stack_sized": budgets[name].memory is not None}
            for name in profile.hosts
        },
    )


def wanted_releases(profile: Profile, catalogue: Catalogue) -> Iterator[Release]:
    """Yield every archive that a profile without errors installs, by default versions where it names none."""
    for _, service in profile.services.placed():
        yield from catalogue.archives(service.app, service.version, service.archive_edition)
    if profile.services.chat:
        yield from mattermost.plugin_releases(profile.services.chat)


def _group_vars_all(profile: Profile, releases: Mapping[str, ReleaseRef], deployment: str) -> dict[str, Any]:
    organisation, network, services = profile.organisation, profile.network, profile.services
    variables: dict[str, Any] = {
        "stack_deployment": deployment,
        "stack_organisation": organisation.model_dump(mode="json"),
        "stack_applications": [site.app for site in profile.sites()],
        "stack_sites": {
            site.name: {
                "app": site.app,
                "hostname": site.hostname,
                "host": profile.host_of(site),
                "address": profile.hosts[profile.host_of(site)].address,
            }
            for site in profile.sites()
        },
        "stack_network": {"resolvers": list(network.resolvers), "time_servers": list(network.time_servers)},
        **platform.variables(profile),
    }
    if services.files:
        variables |= nextcloud.variables(profile, services.files, releases["nextcloud"])
    if services.chat:
        variables |= mattermost.variables(profile, services.chat, releases)
    if services.meet:
        variables |= jitsi.variables(profile, services.meet, releases)
    if profile.portal:
        variables |= portal.variables(profile, profile.portal)
    return variables
