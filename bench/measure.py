"""Measure ``sovstack apply`` against the floor: the same packages and archive by a bare shell script.

On two fresh lab machines, in one run: ``apply`` on the first, the floor with exactly the packages that apply
installed on the second, then ``apply`` again on the first. A table goes to standard error, JSON to standard
output.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from turnarounds import Turnarounds

from provisioner.lab import record

CHECKOUT = Path(__file__).resolve().parent.parent
SOVSTACK = CHECKOUT / ".venv" / "bin" / "sovstack"
LAB = "bench"
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Machine:
    """A lab machine and how to reach it."""

    number: int
    address: str
    ssh_config: str
    hostname: str

    def manual_packages(self) -> set[str]:
        """Return the packages that somebody asked for there."""
        argv = ["ssh", "-F", self.ssh_config, self.hostname, "apt-mark showmanual"]
        return set(subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout.split())


@dataclass(frozen=True, slots=True)
class Measured:
    """One run. CPU and peak memory are the controller's: getrusage of the command and all it waited for.

    ``peak_megabytes`` is the resident set of the largest single process, not the sum of several.
    """

    seconds: float
    round_trips: int
    cpu_seconds: float
    peak_megabytes: float
    tasks: int = 0
    changed: int = 0
    phases: dict[str, float] | None = None


def say(text: str) -> None:
    """Print a line of progress."""
    print(f"[{time.monotonic() - STARTED:4.0f} s] bench: {text}", file=sys.stderr, flush=True)


STARTED = time.monotonic()


def sovstack(*arguments: str | Path) -> str:
    """Run a command of sovstack that is not measured."""
    argv = [str(SOVSTACK), *map(str, arguments)]
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout


def measure(command: Sequence[str], bridge: str) -> tuple[Measured, str]:
    """Run a command to its end; return what it cost and its standard output."""
    with Turnarounds(bridge) as wire, tempfile.TemporaryFile("w+") as output:
        begun = time.monotonic()
        process = subprocess.Popen(command, stdout=output, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode != 0:
        sys.exit(f"bench: ended with {process.returncode}: {shlex.join(command)}")
    cpu_seconds = usage.ru_utime + usage.ru_stime
    return Measured(seconds, wire.count, cpu_seconds, usage.ru_maxrss / 1024), text


def measure_apply(profile: Path, bridge: str, doubles: Path | None) -> Measured:
    """Measure ``sovstack apply`` and add what its report knows."""
    command = [str(SOVSTACK), "apply", "--output", "json", "--progress", "plain", str(profile)]
    if doubles:
        # A cache of its own, so that a double never lies beside a real release.
        command = ["env", f"SOVSTACK_CACHE_DIR={doubles / 'cache'}", *command]
        command += ["--releases-from", str(doubles), "--allow-doubles"]
    cost, text = measure(command, bridge)
    report = json.loads(text)
    tasks = sum(
        role[outcome] for role in report["roles"] for outcome in ("ok", "changed", "failed", "skipped")
    )
    phases = {phase["name"]: round(phase["seconds"], 1) for phase in report["phases"]}
    known = {**asdict(cost), "tasks": tasks, "changed": len(report["changes"]), "phases": phases}
    return Measured(**known)


def start_machines(debian: str) -> tuple[list[Machine], str]:
    """Make two fresh machines; return them and the name of their bridge."""
    subprocess.run([str(SOVSTACK), "lab", "down", LAB], check=True)
    listing = json.loads(
        sovstack("lab", "up", LAB, "--machines", "2", "--debian", debian, "--output", "json")
    )
    (lab,) = listing["labs"]
    machines = [
        Machine(found["number"], found["address"], lab["ssh_config"], found["hostname"])
        for found in lab["machines"]
    ]
    return machines, record.require(LAB).bridge


def write_profile(folder: Path, address: str, debian: str) -> Path:
    """Write the lab's profile for the bench's first machine, with files alone: that is what the floor is, too."""
    text = (CHECKOUT / "inventories" / "lab" / "profile.yml").read_text()
    whole: dict[str, Any] = yaml.safe_load(text)
    profile = {key: whole[key] for key in ("version", "organisation", "sovereignty", "hosts", "tls")}
    profile["services"] = {"files": whole["services"]["files"]}
    (host,) = profile["hosts"].values()
    host |= {"address": address, "debian": int(debian)}
    host["ssh"]["key_file"] = str(record.lab_home() / "id_ed25519")
    password = folder / "vault-password"
    password.write_text("bench, thrown away\n")
    password.chmod(0o600)
    profile["secrets"] = {"vault_password": {"file": str(password)}}
    path = folder / "bench" / "profile.yml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(profile))
    return path


def build_double(folder: Path) -> Path:
    """Build the contract double into ``folder`` and return its archive."""
    build = CHECKOUT / "tests" / "doubles" / "nextcloud" / "build.py"
    command = [sys.executable, str(build), "--output", str(folder)]
    return Path(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())


def fetch_release() -> Path:
    """Return the real archive, from the release cache or from upstream."""
    fetched = json.loads(sovstack("releases", "fetch", "nextcloud", "--output", "json"))
    return Path(fetched["archives"][0]["path"])


def measure_floor(
    machine: Machine, archive: Path, hostname: str, packages: Sequence[str], bridge: str
) -> Measured:
    """Measure the floor: copy the archive and the script, run it."""
    remote = f"/root/{archive.name}"
    arguments = " ".join(shlex.quote(word) for word in ("/root/floor.sh", remote, hostname, *packages))
    copy = f"scp -q -F {shlex.quote(machine.ssh_config)} {shlex.quote(str(archive))} "
    copy += f"{shlex.quote(str(CHECKOUT / 'bench' / 'floor.sh'))} {machine.hostname}:/root/"
    run = f"ssh -F {shlex.quote(machine.ssh_config)} {machine.hostname} {shlex.quote(arguments)}"
    return measure(["sh", "-c", f"{copy} && {run} >&2"], bridge)[0]


def print_table(result: dict[str, Any]) -> None:
    """Print the result for people, on standard error."""
    columns = ("floor", "apply", "apply again")
    rows = (
        ("seconds", "seconds", "{:.1f}"),
        ("SSH round trips", "round_trips", "{}"),
        ("tasks", "tasks", "{}"),
        ("tasks that changed", "changed", "{}"),
        ("controller CPU, s", "cpu_seconds", "{:.1f}"),
        ("peak memory, MB", "peak_megabytes", "{:.0f}"),
    )
    print(f"\n{'':20}" + "".join(f"{name:>14}" for name in columns), file=sys.stderr)
    for title, key, form in rows:
        cells = [form.format(result[name.replace(" ", "_")][key]) for name in columns]
        print(f"{title:20}" + "".join(f"{cell:>14}" for cell in cells), file=sys.stderr)
    print(
        f"\nfresh / floor: {result['ratio']:.2f} (bar: 1.60)"
        f"   apply again: {result['apply_again']['seconds']:.1f} s (bar: 12)"
        f"   application: {result['application']}, Debian {result['debian']}",
        file=sys.stderr,
    )


def main() -> None:
    """Measure, print, and take the machines down."""
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    parser.add_argument("--debian", choices=["12", "13"], default="13")
    parser.add_argument(
        "--double", action="store_true", help="measure with the contract double, not the real release"
    )
    parser.add_argument("--keep", action="store_true", help="leave the machines of the lab `bench` running")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sovstack-bench-") as scratch:
        folder = Path(scratch)
        doubles = folder / "doubles" if options.double else None
        archive = build_double(doubles) if doubles else fetch_release()
        say(f"two fresh machines, Debian {options.debian}")
        (ours, bare), bridge = start_machines(options.debian)
        try:
            before = ours.manual_packages()
            profile = write_profile(folder, ours.address, options.debian)
            say("apply on a fresh machine")
            fresh = measure_apply(profile, bridge, doubles)
            packages = sorted(ours.manual_packages() - before)
            say(f"the floor with the same {len(packages)} packages")
            hostname = yaml.safe_load(profile.read_text())["services"]["files"]["hostname"]
            floor = measure_floor(bare, archive, hostname, packages, bridge)
            say("apply again")
            again = measure_apply(profile, bridge, doubles)
        finally:
            if not options.keep:
                sovstack("lab", "down", LAB)
    result = {
        "format_version": FORMAT_VERSION,
        "application": "double" if options.double else archive.name,
        "debian": options.debian,
        "cores": os.cpu_count(),
        "packages": packages,
        "floor": asdict(floor),
        "apply": asdict(fresh),
        "apply_again": asdict(again),
        "ratio": fresh.seconds / floor.seconds,
    }
    print_table(result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
