"""What is told to Ansible, and what it installs, as frozen types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ReleaseRef:
    """A release archive that was obtained and checked.

    Attributes:
        version: Whole version, ``34.0.1``.
        archive_path: Where it lies on the controller, absolute.
        sha256: Its digest, 64 hexadecimal digits.
    """

    version: str
    archive_path: str
    sha256: str


@dataclass(frozen=True)
class Inventory:
    """What Ansible is told.

    Attributes:
        groups: Host names by group; ``role_<role>`` lists the hosts that carry the role.
        group_vars_all: Variables of all hosts.
        host_vars: Variables of one host, by host.
    """

    groups: Mapping[str, tuple[str, ...]]
    group_vars_all: Mapping[str, Any]
    host_vars: Mapping[str, Mapping[str, Any]]

    def files(self) -> dict[str, dict[str, Any]]:
        """Return the content of Ansible's inventory files, by their paths below the inventory folder."""
        children: dict[str, Any] = {
            group: {"hosts": {host: {} for host in hosts}} for group, hosts in sorted(self.groups.items())
        }
        hosts = {name: dict(variables) for name, variables in self.host_vars.items()}
        return {
            "hosts.yml": {"all": {"hosts": hosts, "children": children}},
            "group_vars/all/main.yml": dict(self.group_vars_all),
        }
