"""The process that keeps one machine: mounts its disk, runs systemd-nspawn, and starts it again after a reboot.

Run as ``python -m provisioner.lab.supervisor LAB NUMBER START`` in a mount namespace of its own, so that the
disk's mount and systemd-nspawn's run-time files end with it. It outlives the command that started it; the
machine is found and ended through its control group, never through this process.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

from provisioner.lab import cgroup, disk, network, record
from provisioner.lab.command import run
from provisioner.lab.record import Lab

_REBOOT = 133  # what systemd-nspawn exits with when the machine rebooted: systemd-nspawn(1), "Exit status"
_log = logging.getLogger("supervisor")


def main(arguments: list[str]) -> int:
    """Keep the machine until it is shut down or killed; return systemd-nspawn's exit code."""
    name, number, start = arguments[0], int(arguments[1]), arguments[2]
    lab = record.require(name)
    if lab.machine(number).start != start:
        return 0  # taken down, or started anew, before this process got so far
    group = cgroup.group_of(lab, number)
    cgroup.enter(
        group / "keeper"
    )  # fails when the group was removed: then nobody wants this machine any more
    logging.basicConfig(
        filename=lab.machine_dir(number) / "supervisor.log",
        format="%(asctime)s %(message)s",
        level=logging.INFO,
    )
    try:
        return _keep(lab, number, group)
    except Exception:
        _log.exception("the supervisor failed")
        raise


def _keep(lab: Lab, number: int, group: Path) -> int:
    nspawn_files = Path("/run/systemd/nspawn")
    nspawn_files.mkdir(parents=True, exist_ok=True)
    run(["mount", "-t", "tmpfs", "-o", "mode=0755", "sovlab", str(nspawn_files)])
    root = disk.mount(lab, number)
    command = _nspawn(lab, number, root)
    while True:
        _log.info("boot")
        with (lab.machine_dir(number) / "console.log").open("ab") as console:
            # The shell enters the machine's group before it becomes systemd-nspawn.
            enter = ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(group / "machine" / "cgroup.procs")]
            code = subprocess.run(
                [*enter, *command],
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                check=False,
            ).returncode
        _log.info("systemd-nspawn ended with %s", code)
        # A killed systemd-nspawn leaves the machine's processes behind, and its link for a moment.
        cgroup.clear(group / "machine")
        network.remove_link(lab.link(number))
        if code != _REBOOT:
            return code


def _nspawn(lab: Lab, number: int, root: Path) -> list[str]:
    return [
        "systemd-nspawn",
        "--quiet",
        "--boot",
        "--register=no",
        "--keep-unit",
        "--settings=no",
        f"--directory={root}",
        f"--machine={lab.nspawn_name(number)}",
        f"--hostname={lab.hostname(number)}",
        f"--network-bridge={lab.bridge}",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        "--console=read-only",
        "--suppress-sync=yes",  # the kernel under a lab machine survives it, so its writes do too
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
