"""The lab's journal: what a lab consists of, written down before any of it is made.

One JSON file per lab, ``state_dir()/lab/<lab>/record.json``. Whoever finds a record can make the lab's state
anew or remove every trace of it, whatever was killed in between; so every name of a bridge, link, control
group or directory follows from the record alone.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from provisioner.errors import ProvisionerError, UsageError
from provisioner.paths import state_dir

_FORMAT_VERSION = 1
_LAB_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")
_RESERVED = frozenset({"hostkeys"})
RELEASES: Mapping[int, str] = {12: "bookworm", 13: "trixie"}
"""Debian releases a machine may run, and the suite of each."""


def lab_home() -> Path:
    """Return the directory that holds all labs of this user."""
    return state_dir() / "lab"


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine as recorded: what it is, not whether it runs.

    ``start`` names the control group of the machine's current start; it is new for every start, so that
    nothing left over from an earlier one can enter it.
    """

    number: int
    release: int
    image: str
    start: str
    memory_megabytes: int | None = None


@dataclass(frozen=True, slots=True)
class Lab:
    """One lab as recorded. ``network`` is the K of its subnet 10.77.K.0/24."""

    name: str
    network: int
    machines: Mapping[int, Machine] = field(default_factory=dict)

    @property
    def subnet(self) -> ipaddress.IPv4Network:
        """The lab's addresses."""
        return subnet_of(self.network)

    @property
    def gateway(self) -> ipaddress.IPv4Address:
        """The controller's address on the lab's bridge."""
        return self.subnet[1]

    @property
    def bridge(self) -> str:
        """Name of the lab's bridge, nftables table and parent control group."""
        return f"sovlab{self.network}"

    @property
    def home(self) -> Path:
        """Directory of everything the lab keeps."""
        return lab_home() / self.name

    @property
    def ssh_config(self) -> Path:
        """File for ``ssh -F`` that reaches the lab's machines by name or address."""
        return self.home / "ssh_config"

    def address(self, number: int) -> ipaddress.IPv4Address:
        """Return the address of machine ``number``: 10.77.K.11 for the first."""
        return self.subnet[10 + number]

    def hostname(self, number: int) -> str:
        """Return the machine's host name, ``<lab>-<number>``."""
        return f"{self.name}-{number}"

    def nspawn_name(self, number: int) -> str:
        """Return the machine's name for systemd-nspawn: short, because a link's name has 15 bytes."""
        return f"{self.bridge}-{number}"

    def link(self, number: int) -> str:
        """Return the host end of the machine's virtual Ethernet pair, as systemd-nspawn names it."""
        return f"vb-{self.nspawn_name(number)}"

    def machine_dir(self, number: int) -> Path:
        """Return the directory of the machine's disk and logs."""
        return self.home / "machines" / str(number)

    def host_key(self, number: int) -> Path:
        """Return the machine's SSH host key, which outlives the machine."""
        return lab_home() / "hostkeys" / self.hostname(number) / "ssh_host_ed25519_key"

    def with_machine(self, machine: Machine) -> Lab:
        """Return the lab with ``machine`` added, or in place of the one with its number."""
        machines = {**self.machines, machine.number: machine}
        return dataclasses.replace(self, machines=dict(sorted(machines.items())))

    def machine(self, number: int) -> Machine:
        """Return machine ``number``; raise `UsageError` when the lab has none."""
        if found := self.machines.get(number):
            return found
        have = ", ".join(str(number) for number in self.machines) or "none"
        raise UsageError(f"lab {self.name} has no machine {number}", hint=f"its machines: {have}")


def subnet_of(network: int) -> ipaddress.IPv4Network:
    """Return 10.77.``network``.0/24."""
    return ipaddress.IPv4Network(f"10.77.{network}.0/24")


def check_name(name: str) -> str:
    """Return ``name`` when it can name a lab, else raise `UsageError`."""
    if name in _RESERVED or not _LAB_NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a lab",
            hint="use at most 40 of a-z, 0-9 and -, beginning with a letter; 'hostkeys' is taken",
        )
    return name


def load(name: str) -> Lab | None:
    """Return the lab's record, or ``None`` when there is no such lab.

    Raises:
        UsageError: The name cannot name a lab.
        ProvisionerError: The record is there and cannot be understood.
    """
    path = lab_home() / check_name(name) / "record.json"
    try:
        content = path.read_text()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        data = json.loads(content)
        if data["format_version"] != _FORMAT_VERSION:
            raise ProvisionerError(
                f"the lab's record {path} has format version {data['format_version']}, not {_FORMAT_VERSION}",
                hint="another version of sovstack made it; take the lab down with that version",
            )
        machines = [Machine(**machine) for machine in data["machines"]]
        return Lab(name, data["network"], {machine.number: machine for machine in machines})
    except (ValueError, TypeError, KeyError) as error:
        raise ProvisionerError(
            f"the lab's record {path} cannot be understood",
            details=str(error),
            hint="restore it; without it, the lab's bridge, nftables table and control groups are yours to remove",
        ) from error


def require(name: str) -> Lab:
    """Return the lab's record; raise `UsageError` when there is no such lab."""
    if lab := load(name):
        return lab
    raise UsageError(f"there is no lab {name}", hint=f"sovstack lab up {name}")


def names() -> list[str]:
    """Return the names of all labs."""
    return sorted(path.parent.name for path in lab_home().glob("*/record.json"))


def load_all() -> list[Lab]:
    """Return the records of all labs, by name."""
    return [lab for lab in map(load, names()) if lab]


def save(lab: Lab) -> None:
    """Write the record so that a reader sees the old one or the new one, never half of one."""
    content = {
        "format_version": _FORMAT_VERSION,
        "name": lab.name,
        "network": lab.network,
        "machines": [dataclasses.asdict(machine) for machine in lab.machines.values()],
    }
    lab.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(lab.home / "record.json", json.dumps(content, indent=2) + "\n")


def remove(lab: Lab) -> None:
    """Delete all that the lab keeps, the record last."""
    for path in lab.home.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "record.json":
            path.unlink()
    shutil.rmtree(lab.home)


def replace_file(path: Path, content: str, mode: int = 0o600) -> None:
    """Write ``content`` to ``path`` in one step."""
    temporary = path.with_name(f".{path.name}.new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
