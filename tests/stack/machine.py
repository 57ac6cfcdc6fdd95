"""One lab machine of a deployment: commands as root, a restart from inside, the processes of its services."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from provisioner.checks.shell import Shell
from provisioner.errors import HostUnreachable

COMMAND_SECONDS = 300
BOOT_SECONDS = 120
_READ_BOOT = "cat /proc/sys/kernel/random/boot_id"
_LIST_PROCESSES = """
import json, subprocess, sys
shown = subprocess.check_output(
    ["systemctl", "show", "--property=Id,MainPID,ControlGroup", *sys.argv[1:]], text=True
)
found = {}
for block in shown.split("\\n\\n"):
    unit = dict(line.partition("=")[::2] for line in block.splitlines())
    if unit.get("MainPID", "0") != "0":
        try:
            with open(f"/sys/fs/cgroup{unit['ControlGroup']}/cgroup.procs") as members:
                others = set(map(int, members)) - {int(unit["MainPID"])}
        except OSError:
            continue  # it ended just now
        found[unit["Id"]] = [int(unit["MainPID"]), sorted(others)]
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Processes:
    """What runs for a unit: its main process, and the others of its control group."""

    main: int
    others: tuple[int, ...]


@dataclass(frozen=True)
class Machine:
    """A machine as ``sovstack lab list`` shows it."""

    number: int
    hostname: str
    address: str
    ssh_config: str

    @property
    def public_address(self) -> str:
        """An address that nobody has, and that a router before the machine may lead to it (``stack.router``)."""
        return self.address.replace("10.77.", "10.88.", 1)

    def run(self, command: str) -> str:
        """Run a command as root and return its output; it must succeed."""
        shell = Shell(["ssh", "-F", self.ssh_config, self.hostname, "/bin/sh"])
        try:
            status, output, errors = shell.run(command, COMMAND_SECONDS)
        finally:
            shell.close()
        assert status == 0, f"{command}: {status}: {errors.decode(errors='replace')}"
        return output.decode(errors="replace")

    def reboot(self) -> None:
        """Restart the machine from inside and wait until it has started all its services."""
        before = self.run(_READ_BOOT)
        # The connection goes down with the machine, before or after the command has ended.
        with suppress(HostUnreachable, AssertionError):
            self.run("systemctl reboot")
        self.wait_until_up(another_boot_than=before)

    def wait_until_up(self, *, another_boot_than: str = "") -> None:
        """Return when the machine has started all its services."""
        deadline = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < deadline:
            with suppress(HostUnreachable):
                if self.run(_READ_BOOT) != another_boot_than:
                    self.run("systemctl is-system-running --wait || true")
                    return
            time.sleep(0.5)
        raise AssertionError(f"{self.hostname} is not up after {BOOT_SECONDS} s")

    def declared_units(self) -> list[str]:
        """Return the units that the roles declare."""
        declaration: dict[str, Any] = json.loads(self.run("cat /etc/sovstack/declared.json"))
        return list(declaration["units"])

    def processes(self) -> dict[str, Processes]:
        """Return the processes of those declared units that have any, by unit."""
        listed = self.run(f"python3 - {' '.join(self.declared_units())} <<'EOF'\n{_LIST_PROCESSES}\nEOF")
        return {unit: Processes(main, tuple(others)) for unit, (main, others) in json.loads(listed).items()}
