"""A state directory of the test's own, and what a lab has on this computer, seen without the lab's code."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from provisioner import lab

_NETWORKS = range(200, 254, 2)  # labs of people and of other tests begin at 0; a test may take two


@dataclass(frozen=True)
class Computer:
    """What there is of labs whose state lies in ``state`` and whose network is ``network``."""

    state: Path
    network: int

    @property
    def bridge(self) -> str:
        return f"sovlab{self.network}"

    @property
    def subnet(self) -> str:
        return f"10.77.{self.network}.0/24"

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "provisioner", "lab", *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments), capture_output=True, text=True, timeout=180, check=False
        )

    def groups(self) -> list[Path]:
        hierarchies = [
            Path(line.split()[1])
            for line in Path("/proc/mounts").read_text().splitlines()
            if line.split()[2].startswith("cgroup")
        ]
        return [path for root in hierarchies for path in root.glob(f"sovlab/{self.bridge}-*")]

    def members(self) -> dict[int, str]:
        """Return the processes in the labs' groups, and their names."""
        # os.walk, unlike glob, does not mind groups that come and go.
        directories = [Path(directory) for group in self.groups() for directory, _, _ in os.walk(group)]
        pids = {int(pid) for directory in directories for pid in _read(directory / "cgroup.procs").split()}
        return {pid: name for pid in pids if (name := _read(Path("/proc", str(pid), "comm")).strip())}

    def own_processes(self) -> dict[int, str]:
        """Return every process that works with the test's state directory: by environment or by mounts."""
        found = self.members()
        for pid in (int(path.name) for path in Path("/proc").glob("[0-9]*")):
            if pid != os.getpid() and (
                f"SOVSTACK_STATE_DIR={self.state}\0" in _read(Path("/proc", str(pid), "environ"))
                or str(self.state) in _read(Path("/proc", str(pid), "mounts"))
            ):
                found[pid] = _read(Path("/proc", str(pid), "comm")).strip()
        return found

    def traces(self) -> list[str]:
        """Return all that is left of labs on this computer."""
        links = [path.name for path in Path("/sys/class/net").iterdir()]
        tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
        claims = [
            path
            for path in Path("/run/sovstack-lab").glob("network-*")
            if str(self.state) in path.read_text()
        ]
        return [
            *(
                f"link {name}"
                for name in links
                if name == self.bridge or name.startswith(f"vb-{self.bridge}-")
            ),
            *(f"nftables {line}" for line in tables.splitlines() if line.split()[-1] == self.bridge),
            *(f"group {path}" for path in self.groups()),
            *(f"process {pid} {name}" for pid, name in self.own_processes().items()),
            *(
                f"mount {line}"
                for line in Path("/proc/mounts").read_text().splitlines()
                if str(self.state) in line
            ),
            *(f"claim {path}" for path in claims),
            *(f"directory {path}" for path in (self.state / "lab").glob("*") if path.name not in KEPT),
        ]


KEPT = {"hostkeys", "id_ed25519", "id_ed25519.pub"} | {".keys.lock", ".lab.lock", ".other.lock"}


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # the process ended, or the group is gone
        return ""


@pytest.fixture
def computer(monkeypatch, tmp_path):
    """A computer without labs; afterwards it is again, whatever the test did."""
    monkeypatch.setenv("SOVSTACK_STATE_DIR", str(tmp_path))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    # A run that was killed may have left a lab behind that nobody can take down who does not know its folder.
    free = [one for one in _NETWORKS if not Path(f"/sys/class/net/sovlab{one}").exists()]
    here = Computer(tmp_path, free[worker])
    yield here
    for name in ("lab", "other"):
        lab.down(name)
