"""What can be done with labs: bring up, take down, list; stop, kill and start one machine.

Every function that changes something holds the lab's lock and writes the record before it makes what the
record names. So a lab can be completed by ``up`` or removed by ``down`` whatever was killed at any moment.
"""

from __future__ import annotations

import dataclasses
import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import provisioner
from provisioner.errors import ProvisionerError, UsageError
from provisioner.lab import cgroup, disk, image, keys, lock, network, record, requirements, wait
from provisioner.lab.record import RELEASES, Lab, Machine

_MOST_MACHINES = 99  # a link has two digits for its machine
_STOP_SECONDS = 90.0


class State(StrEnum):
    """Whether a machine runs. ``ORPHANED``: it runs, but its supervisor was killed; ``up`` starts it anew."""

    RUNNING = "running"
    STOPPED = "stopped"
    ORPHANED = "orphaned"


@dataclass(frozen=True, slots=True)
class MachineStatus:
    """One machine of a listing. ``host_key`` is its public SSH host key."""

    number: int
    hostname: str
    address: str
    debian: int
    state: State
    host_key: str


@dataclass(frozen=True, slots=True)
class LabStatus:
    """One lab of a listing. ``ssh_config`` is a file for ``ssh -F``."""

    name: str
    subnet: str
    ssh_config: str
    machines: tuple[MachineStatus, ...]


def up(
    name: str,
    *,
    machines: int | None = None,
    release: int | None = None,
    subnet: str | None = None,
    memory_megabytes: int | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Lab:
    """Bring a lab up to at least ``machines`` machines that all answer over SSH; what runs is left alone.

    Args:
        name: The lab; made if there is none.
        machines: How many machines it shall have; default: as many as it has, or one.
        release: Debian release of machines made now; default 13.
        subnet: ``10.77.K.0/24``; default: recorded, or a free one.
        memory_megabytes: Limit for machines made now; default: none.
        progress: Called with a line of text when something that takes a while begins.

    Raises:
        Unavailable: This computer cannot run lab machines.
        UsageError: The request contradicts what the lab is.
        Busy: Another command works on the lab.
        ProvisionerError: A machine did not come up.
    """
    record.check_name(name)
    requirements.check()
    with lock.hold_lab(name):
        lab = record.load(name)
        wanted = machines or max(1, len(lab.machines) if lab else 0)
        _check_request(lab, wanted, release, subnet)
        lab = lab or network.allocate(name, subnet)
        for number in range(1, wanted + 1):
            if number not in lab.machines:
                base = image.ensure(release or max(RELEASES), progress)
                fresh = Machine(number, release or max(RELEASES), str(base), _new_start(), memory_megabytes)
                lab = lab.with_machine(fresh)
        record.save(lab)
        network.make(lab)
        for obstacle in network.obstacles():
            progress(f"warning: {obstacle}; machines may not reach their package sources")
        keys.write_client_files(lab)
        idle = [number for number in lab.machines if _state(lab, number) is not State.RUNNING]
        for number in idle:
            machine = lab.machine(number)
            progress(f"starting {lab.hostname(number)} ({lab.address(number)}, Debian {machine.release})")
            lab = _start(lab, number)
        for number in lab.machines:
            wait.for_ssh(lab, number)
        return lab


def down(name: str) -> bool:
    """Remove a lab and all that it made; return whether there was such a lab.

    Raises:
        Busy: Another command works on the lab.
        ProvisionerError: Something could not be removed; the record stays, and ``down`` can be repeated.
    """
    requirements.check_root()
    with lock.hold_lab(name):
        lab = record.load(name)
        if lab is None:
            return False
        for group in cgroup.groups_of(lab):
            cgroup.remove(group)
        network.remove(lab)
        record.remove(lab)
        return True


def listing() -> list[LabStatus]:
    """Return every lab of this user, with the present state of its machines."""
    return [
        LabStatus(
            name=lab.name,
            subnet=str(lab.subnet),
            ssh_config=str(lab.ssh_config),
            machines=tuple(
                MachineStatus(
                    number=number,
                    hostname=lab.hostname(number),
                    address=str(lab.address(number)),
                    debian=machine.release,
                    state=_state(lab, number),
                    host_key=keys.host_public_key(lab, number),
                )
                for number, machine in lab.machines.items()
            ),
        )
        for lab in record.load_all()
    ]


def start(name: str, number: int) -> None:
    """Start a machine that is stopped, and wait until it answers over SSH; a running one is left alone."""
    requirements.check()
    with lock.hold_lab(name):
        lab = record.require(name)
        lab.machine(number)
        network.make(lab)
        if _state(lab, number) is not State.RUNNING:
            lab = _start(lab, number)
        wait.for_ssh(lab, number)


def stop(name: str, number: int) -> None:
    """Shut a machine down in order, as its power button would; its disk stays.

    Raises:
        ProvisionerError: It was not down after a minute and a half; it still runs.
    """
    requirements.check_root()
    with lock.hold_lab(name):
        lab = record.require(name)
        group = cgroup.group_of(lab, number)
        cgroup.terminate(group / "keeper")
        wait.until_empty(group, _STOP_SECONDS, f"{lab.hostname(number)} does not shut down")
        cgroup.remove(group)


def kill(name: str, number: int) -> None:
    """Pull the machine's plug: every process of it ends at once; its disk stays as it was at that moment."""
    requirements.check_root()
    with lock.hold_lab(name):
        lab = record.require(name)
        cgroup.remove(cgroup.group_of(lab, number))


def _check_request(lab: Lab | None, wanted: int, release: int | None, subnet: str | None) -> None:
    if not 1 <= wanted <= _MOST_MACHINES:
        raise UsageError(f"a lab has 1 to {_MOST_MACHINES} machines, not {wanted}")
    if release is not None and release not in RELEASES:
        raise UsageError(
            f"there are no lab machines with Debian {release}", hint="--debian 12 or --debian 13"
        )
    if lab is None:
        return
    hint = f"sovstack lab down {lab.name}, then up again; or choose another lab name"
    if subnet is not None and subnet != str(lab.subnet):
        raise UsageError(f"lab {lab.name} has the subnet {lab.subnet}, not {subnet}", hint=hint)
    for number, machine in lab.machines.items():
        if number <= wanted and release not in (None, machine.release):
            raise UsageError(f"{lab.hostname(number)} has Debian {machine.release}, not {release}", hint=hint)


def _new_start() -> str:
    return secrets.token_hex(4)


def _state(lab: Lab, number: int) -> State:
    group = cgroup.group_of(lab, number)
    if not cgroup.is_populated(group):
        return State.STOPPED
    return State.RUNNING if cgroup.is_populated(group / "keeper") else State.ORPHANED


def _start(lab: Lab, number: int) -> Lab:
    """Start a machine under a new control group, after what is left of its last start was removed."""
    if not Path(lab.machine(number).image).exists():
        raise ProvisionerError(
            f"the base image under {lab.hostname(number)} is gone: {lab.machine(number).image}",
            hint=f"its disk is worth nothing without: sovstack lab down {lab.name}, then up again",
        )
    for group in cgroup.groups_of(lab, number):
        cgroup.remove(group)
    network.remove_link(lab.link(number))
    lab = lab.with_machine(dataclasses.replace(lab.machine(number), start=_new_start()))
    record.save(lab)
    disk.prepare(lab, number)
    cgroup.make(cgroup.group_of(lab, number), lab.machine(number).memory_megabytes)
    _launch(lab, number)
    return lab


def _launch(lab: Lab, number: int) -> None:
    """Start the supervisor of a machine, whose control group exists, and leave it to itself."""
    kept = ("PATH", "HOME", "SOVSTACK_STATE_DIR", "SOVSTACK_CACHE_DIR", "XDG_STATE_HOME", "XDG_CACHE_HOME")
    # Nothing else of this process's environment: it may hold secrets, and the supervisor lives long.
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment["PYTHONPATH"] = str(Path(provisioner.__file__).parent.parent)
    with (lab.machine_dir(number) / "supervisor.log").open("ab") as log:
        subprocess.run(
            [
                *("setsid", "--fork"),  # a session of its own, and a child of nobody who lives on
                *("unshare", "--mount", "--propagation", "private"),
                *(sys.executable, "-m", "provisioner.lab.supervisor"),
                *(lab.name, str(number), lab.machine(number).start),
            ],
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=True,
        )
