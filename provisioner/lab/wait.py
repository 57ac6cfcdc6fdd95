"""Waiting for machines: until they answer over SSH, until they are gone."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

from provisioner.errors import ProvisionerError
from provisioner.lab import cgroup
from provisioner.lab.record import Lab

_SSH_SECONDS = 180.0  # an emulated processor boots a machine in half of it
_LAUNCH_SECONDS = 10.0
_POLL_SECONDS = 0.05
_LOG_LINES = 15


def ssh_command(lab: Lab, number: int) -> list[str]:
    """Return the command that logs in on a machine; append the command to run there."""
    return ["ssh", "-F", str(lab.ssh_config), lab.hostname(number)]


def for_ssh(lab: Lab, number: int) -> None:
    """Return when a log-in on the machine works.

    Raises:
        ProvisionerError: The machine ended, or did not answer in time; ``details`` has its last words.
    """
    begun = time.monotonic()
    group = cgroup.group_of(lab, number)
    entered = False
    while time.monotonic() - begun < _SSH_SECONDS:
        # The supervisor needs a moment to enter its group; an empty group means a dead machine only after it.
        populated = cgroup.is_populated(group)
        entered = entered or populated or time.monotonic() - begun > _LAUNCH_SECONDS
        if entered and not populated:
            raise ProvisionerError(
                f"{lab.hostname(number)} ended while it started", details=_last_words(lab, number)
            )
        if _has_banner(str(lab.address(number))) and _can_log_in(lab, number):
            return
        time.sleep(_POLL_SECONDS)
    raise ProvisionerError(
        f"{lab.hostname(number)} does not answer over SSH after {_SSH_SECONDS:.0f} seconds",
        details=_last_words(lab, number),
        hint=f"what it printed: {lab.machine_dir(number) / 'console.log'}",
    )


def until_empty(group: Path, seconds: float, otherwise: str) -> None:
    """Return when no process is left in ``group``; else raise `ProvisionerError` ``otherwise``."""
    deadline = time.monotonic() + seconds
    while cgroup.is_populated(group):
        if time.monotonic() > deadline:
            raise ProvisionerError(f"{otherwise} in {seconds:.0f} seconds")
        time.sleep(_POLL_SECONDS)


def _has_banner(address: str) -> bool:
    try:
        with socket.create_connection((address, 22), timeout=1) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _can_log_in(lab: Lab, number: int) -> bool:
    command = [*ssh_command(lab, number), "-o", "ConnectTimeout=5", "-o", "BatchMode=yes", "true"]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


def _last_words(lab: Lab, number: int) -> str:
    home = lab.machine_dir(number)
    logs = (home / name for name in ("supervisor.log", "console.log"))
    lines = [
        line
        for log in logs
        if log.exists()
        for line in log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
    ]
    return "\n".join(lines)
