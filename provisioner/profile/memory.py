"""A profile's hosts and their memory: who gets how much on each. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from provisioner import sizing
from provisioner.profile.model import Profile
from provisioner.profile.placement import roles_of
from provisioner.sizing import Budget


def budgets(profile: Profile, seen: Mapping[str, int] | None = None) -> dict[str, Budget]:
    """Return the budget of every host.

    Args:
        profile: Whose hosts; services that are placed on no host of it count nowhere.
        seen: Megabytes that the hosts' kernels count, by host, where they were asked. What the profile declares
            for a host is then a limit; without, it is the memory of a machine that is sold with so much.
    """
    return {
        name: sizing.divide(
            name,
            roles_of(profile, name),
            users=profile.organisation.users,
            memory=_memory(host.memory_megabytes, (seen or {}).get(name)),
        )
        for name, host in profile.hosts.items()
    }


def _memory(declared: int | None, seen: int | None) -> int | None:
    if seen is None:
        return sizing.visible(declared) if declared is not None else None
    return min(seen, declared or seen)
