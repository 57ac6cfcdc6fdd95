"""The two lab machines of the bench."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from archives import SOVSTACK

from provisioner.lab import record

LAB = "bench"


@dataclass(frozen=True, slots=True)
class Machine:
    """A lab machine and how to reach it."""

    number: int
    address: str
    ssh_config: str
    hostname: str

    def manual_packages(self) -> set[str]:
        """Return the packages that somebody asked for there."""
        return set(self._run("apt-mark showmanual").split())

    def cpu_seconds(self) -> float:
        """Return what all its processes have had of the processors since it was started."""
        _, microseconds, *_ = self._run("cat /sys/fs/cgroup/cpu.stat").split()
        return int(microseconds) / 1_000_000

    def power_off(self) -> None:
        """Shut the machine down, so that its services take nothing from what is measured next."""
        command = ["ssh", "-F", self.ssh_config, self.hostname]
        subprocess.run([*command, "systemctl poweroff"], check=False, capture_output=True)
        while subprocess.run([*command, "true"], check=False, capture_output=True).returncode == 0:
            time.sleep(0.5)

    def _run(self, command: str) -> str:
        argv = ["ssh", "-F", self.ssh_config, self.hostname, command]
        return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout


def start_machines(debian: str) -> tuple[list[Machine], str]:
    """Make two fresh machines; return them and the name of their bridge."""
    take_down_machines()
    lab = bring_up_machines(debian)
    machines = [
        Machine(found["number"], found["address"], lab["ssh_config"], found["hostname"])
        for found in lab["machines"]
    ]
    return machines, record.require(LAB).bridge


def bring_up_machines(debian: str) -> dict[str, Any]:
    """Start what is not running of the two machines; return what the lab says of them."""
    command = [str(SOVSTACK), "lab", "up", LAB, "--machines", "2", "--debian", debian, "--output", "json"]
    (lab,) = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)["labs"]
    return dict(lab)


def take_down_machines() -> None:
    """Remove the machines, also those that an earlier run has left."""
    # Standard output is for the result.
    subprocess.run([str(SOVSTACK), "lab", "down", LAB], check=True, stdout=subprocess.DEVNULL)
