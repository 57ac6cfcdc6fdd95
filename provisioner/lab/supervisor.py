"""The process that keeps one machine: mounts its disk, runs systemd-nspawn, starts it again after a reboot.

Run as ``python -m provisioner.lab.supervisor LAB NUMBER START`` in a mount namespace of its own, so that the
disk's mount and systemd-nspawn's run-time files end with it. It outlives the command that started it; SIGTERM
shuts the machine down in order. A machine is ended for certain through its control group, not through here.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from provisioner.lab import cgroup, disk, network, record
from provisioner.lab.command import run
from provisioner.lab.record import Lab

_REBOOT = 133  # what systemd-nspawn exits with when the machine rebooted: systemd-nspawn(1), "Exit status"
_SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_log = logging.getLogger("supervisor")


def main(arguments: list[str]) -> int:
    """Keep the machine until it is shut down or killed; return systemd-nspawn's exit code."""
    os.umask(0o022)
    name, number, start = arguments[0], int(arguments[1]), arguments[2]
    lab = record.require(name)
    if lab.machine(number).start != start:
        return 0  # taken down, or started anew, before this process got so far
    group = cgroup.group_of(lab, number)
    cgroup.enter(group, "keeper")  # fails when it was removed: nobody wants this machine any more
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)  # stderr is supervisor.log
    try:
        return _Keeper(lab, number, group).keep()
    except Exception:
        _log.exception("the supervisor failed")
        raise


class _Keeper:
    """One machine's life from its start to its end, reboots included."""

    def __init__(self, lab: Lab, number: int, group: Path) -> None:
        self._lab = lab
        self._number = number
        self._machine_group = group / "machine"
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._shall_stop = False
        signal.signal(signal.SIGTERM, self._stop)

    def keep(self) -> int:
        """Boot the machine again and again until it ends otherwise than by a reboot."""
        _hide_nspawn_files()
        root = disk.mount(self._lab, self._number)
        code = _REBOOT
        while code == _REBOOT and not self._shall_stop:
            _log.info("boot")
            code = self._boot(root)
            _log.info("systemd-nspawn ended with %s", code)
            # A killed systemd-nspawn leaves the machine's processes behind, and its link for a moment.
            cgroup.clear(self._machine_group)
            network.remove_link(self._lab.link(self._number))
        return code

    def _boot(self, root: Path) -> int:
        # The shell enters the machine's group before it becomes systemd-nspawn.
        enter = ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self._machine_group / "cgroup.procs")]
        with (self._lab.machine_dir(self._number) / "console.log").open("ab") as console:
            self._nspawn = subprocess.Popen(
                [*enter, *_nspawn_command(self._lab, self._number, root)],
                env={"PATH": _SYSTEM_PATH, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
        if self._shall_stop:  # asked while there was no process yet to hand it to
            self._nspawn.terminate()
        return self._nspawn.wait()

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        self._shall_stop = True
        if self._nspawn:
            self._nspawn.terminate()  # systemd-nspawn asks the machine's systemd to power off


def _hide_nspawn_files() -> None:
    """Give systemd-nspawn a run-time directory that ends with this mount namespace."""
    directory = Path("/run/systemd/nspawn")
    directory.mkdir(parents=True, exist_ok=True)
    run(["mount", "-t", "tmpfs", "-o", "mode=0755", "sovlab", str(directory)])


def _nspawn_command(lab: Lab, number: int, root: Path) -> list[str]:
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
        "--system-call-filter=bpf",  # units may say with whom they talk (IPAddressDeny), as on a host of its own
        "--link-journal=no",
        "--console=read-only",
        "--suppress-sync=yes",  # the kernel under a lab machine survives it, so its writes do too
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
