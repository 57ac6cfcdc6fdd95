"""Lab machines: Debian hosts on this computer, by systemd-nspawn, to deploy on without owning a server."""

from provisioner.lab.keys import client_key, host_public_key
from provisioner.lab.lifecycle import LabStatus, MachineStatus, State, down, kill, listing, start, stop, up
from provisioner.lab.record import Lab, Machine, require

__all__ = [
    "Lab",
    "LabStatus",
    "Machine",
    "MachineStatus",
    "State",
    "client_key",
    "down",
    "host_public_key",
    "kill",
    "listing",
    "require",
    "start",
    "stop",
    "up",
]
