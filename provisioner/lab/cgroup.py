"""Control groups: how a machine's processes are found, counted and killed, whatever they became.

Each start of a machine gets its own group ``sovlab/<bridge>-<number>-<start>`` in the version 2 hierarchy, made by the
command that starts it. The supervisor sits in ``keeper``, systemd-nspawn and the whole machine in ``machine``.
Nothing inside can leave, so ``cgroup.kill`` (Linux 5.14) ends exactly the machine's processes in one step:
no process is ever looked for by name, and a process number that was given to somebody else is never hit.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from provisioner.errors import ProvisionerError
from provisioner.lab.record import Lab

_PARENT = "sovlab"
_KILL_SECONDS = 30.0


def hierarchy() -> Path | None:
    """Return where the version 2 hierarchy is mounted, also in hybrid mode; ``None`` if it is not."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount_point, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(mount_point)
    return None


def group_of(lab: Lab, number: int) -> Path:
    """Return the group of the machine's current start; it may not exist."""
    return _parent() / f"{lab.bridge}-{number}-{lab.machine(number).start}"


def groups_of(lab: Lab, number: int | None = None) -> list[Path]:
    """Return every group that is there for the lab, or for one machine of it, of any start."""
    return sorted(_parent().glob(f"{lab.bridge}-{'*' if number is None else number}-*"))


def make(group: Path) -> None:
    """Make a machine's group, empty."""
    for part in ("keeper", "machine"):
        (group / part).mkdir(parents=True, exist_ok=True)


def enter(group: Path) -> None:
    """Move the calling process into ``group``; `OSError` when it was removed meanwhile."""
    (group / "cgroup.procs").write_text(str(os.getpid()))


def is_populated(group: Path) -> bool:
    """Tell whether any process lives in ``group`` or below it."""
    try:
        return "populated 1" in (group / "cgroup.events").read_text()
    except FileNotFoundError:
        return False


def kill(group: Path) -> None:
    """Kill every process in ``group`` and below, and wait until they are gone.

    Raises:
        ProvisionerError: Processes hang in the kernel and do not die.
    """
    try:
        (group / "cgroup.kill").write_text("1")
    except FileNotFoundError:
        return
    deadline = time.monotonic() + _KILL_SECONDS
    while is_populated(group):
        if time.monotonic() > deadline:
            raise ProvisionerError(
                f"processes in {group} do not die {_KILL_SECONDS:.0f} seconds after they were killed",
                hint="they hang in the kernel, often on a disk; try again later or restart this computer",
            )
        time.sleep(0.01)


def clear(group: Path) -> None:
    """Kill every process in ``group``, and remove the groups below it."""
    kill(group)
    for directory in reversed(sorted(group.glob("**/"))):
        if directory != group:
            _rmdir(directory)


def remove(group: Path) -> None:
    """Kill every process in ``group``, and remove it; also the common parent when it was the last."""
    clear(group)
    _rmdir(group)
    _rmdir(group.parent)


def _rmdir(directory: Path) -> None:
    deadline = time.monotonic() + 2.0
    while True:
        try:
            directory.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            # A group stays busy for a moment after its last process ended; the parent while others use it.
            if directory.name == _PARENT or time.monotonic() > deadline:
                return
            time.sleep(0.01)
        else:
            return


def _parent() -> Path:
    root = hierarchy()
    if root is None:
        raise ProvisionerError("no cgroup version 2 hierarchy is mounted")
    return root / _PARENT
