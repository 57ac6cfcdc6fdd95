"""Control groups: how a machine's processes are found, counted and killed, whatever they became.

Each start of a machine gets its own group ``sovlab/<bridge>-<number>-<start>`` in the version 2 hierarchy,
made by the command that starts it. The supervisor sits in ``keeper``, systemd-nspawn and the whole machine in
``machine``. Nothing inside can leave, so ``cgroup.kill`` (Linux 5.14) ends exactly the machine's processes
in one step: no process is looked for by name, and a process number that went to a stranger is never hit.

On a hybrid host systemd-nspawn makes groups of the same names in version 1 hierarchies, and the memory
controller may live there; both are handled.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from provisioner.errors import ProvisionerError, Unavailable
from provisioner.lab.record import Lab

_PARENT = "sovlab"
_KILL_SECONDS = 30.0


def hierarchy() -> Path | None:
    """Return where the version 2 hierarchy is mounted, also in hybrid mode; ``None`` if it is not."""
    return next((path for path, kind, _ in _mounts() if kind == "cgroup2"), None)


def group_of(lab: Lab, number: int) -> Path:
    """Return the group of the machine's current start; it may not exist."""
    return _parent() / f"{lab.bridge}-{number}-{lab.machine(number).start}"


def groups_of(lab: Lab, number: int | None = None) -> list[Path]:
    """Return every group that is there for the lab, or for one machine of it, of any start."""
    pattern = f"{lab.bridge}-{'*' if number is None else number}-*"
    names = {path.name for parent in _parents() for path in parent.glob(pattern)}
    return [_parent() / name for name in sorted(names)]


def make(group: Path, memory_megabytes: int | None = None) -> None:
    """Make a machine's group, empty, with a limit on what its processes may hold in memory.

    Raises:
        Unavailable: A limit is wanted, and this computer has no memory controller.
    """
    for part in ("keeper", "machine"):
        (group / part).mkdir(parents=True, exist_ok=True)
    root = group.parent.parent
    if memory_megabytes is not None and "memory" in _controllers(root):
        (root / "cgroup.subtree_control").write_text("+memory")
    for directory in (group.parent, group):  # what this computer gives, the machine's systemd may use
        (directory / "cgroup.subtree_control").write_text(
            " ".join(f"+{name}" for name in _controllers(directory))
        )
    if memory_megabytes is not None:
        _limit_memory(group, memory_megabytes * 1024 * 1024)


def enter(group: Path, part: str) -> None:
    """Move the calling process into ``part`` of a machine's group; raise `OSError` when it was removed."""
    for parent in _parents()[1:]:
        if (parent / group.name).exists():
            (parent / group.name / "cgroup.procs").write_text(str(os.getpid()))
    (group / part / "cgroup.procs").write_text(str(os.getpid()))


def is_populated(group: Path) -> bool:
    """Tell whether any process lives in ``group`` or below it."""
    try:
        return "populated 1" in (group / "cgroup.events").read_text()
    except FileNotFoundError:
        return False


def terminate(group: Path) -> None:
    """Send SIGTERM to the processes that sit in ``group`` itself."""
    for pid in _members(group):
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            # Still a member after the handle was opened: the handle cannot mean a stranger with its number.
            if pid in _members(group):
                signal.pidfd_send_signal(handle, signal.SIGTERM)
        except ProcessLookupError:
            continue
        finally:
            os.close(handle)


def clear(group: Path) -> None:
    """Kill every process in ``group`` and below, wait until they are gone, and remove the groups below it.

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
    _remove_below(group)


def remove(group: Path) -> None:
    """Kill every process in ``group``, and remove it; also the common parent when it was the last."""
    clear(group)
    for parent in _parents():
        twin = parent / group.name
        _remove_below(twin)
        _remove_directory(twin)
        _remove_if_empty(parent)


def _mounts() -> list[tuple[Path, str, list[str]]]:
    """Return mount point, type and options of every control group hierarchy, version 2 first."""
    rows = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    found = [(Path(row[1]), row[2], row[3].split(",")) for row in rows if row[2] in ("cgroup", "cgroup2")]
    return sorted(found, key=lambda mount: mount[1], reverse=True)


def _parents() -> list[Path]:
    return [path / _PARENT for path, _, _ in _mounts()]


def _parent() -> Path:
    root = hierarchy()
    if root is None:
        raise Unavailable("no cgroup version 2 hierarchy is mounted")
    return root / _PARENT


def _limit_memory(group: Path, limit: int) -> None:
    if "memory" in _controllers(group):
        (group / "memory.max").write_text(str(limit))
        return
    for path, kind, options in _mounts():
        if kind == "cgroup" and "memory" in options:
            twin = path / _PARENT / group.name
            twin.mkdir(parents=True, exist_ok=True)
            (twin / "memory.limit_in_bytes").write_text(str(limit))
            return
    raise Unavailable(
        "the memory of a machine cannot be limited: the kernel has no memory controller",
        hint="leave the limit out, or start the kernel with cgroup_enable=memory",
    )


def _controllers(group: Path) -> list[str]:
    return (group / "cgroup.controllers").read_text().split()


def _members(group: Path) -> list[int]:
    try:
        return [int(pid) for pid in (group / "cgroup.procs").read_text().split()]
    except FileNotFoundError:
        return []


def _remove_below(group: Path) -> None:
    for directory, _, _ in os.walk(group, topdown=False):
        if Path(directory) != group:
            _remove_directory(Path(directory))


def _remove_directory(directory: Path) -> None:
    deadline = time.monotonic() + _KILL_SECONDS
    while True:
        try:
            directory.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            # A group stays busy for a moment after its last process ended.
            if time.monotonic() > deadline:
                raise ProvisionerError(f"the control group {directory} stays", details=str(error)) from error
            time.sleep(0.01)
        else:
            return


def _remove_if_empty(parent: Path) -> None:
    try:
        parent.rmdir()
    except OSError:  # another lab's machines are in it, or it is gone
        return
