"""Measure ``sovstack apply`` against the floor: the same packages and archives by bare shell scripts.

On two fresh lab machines, in one run: ``apply`` on the first, and again, then, with that one switched off, the floor
with exactly the packages that apply installed on the second. A table goes to standard error, JSON to standard
output. Of each application the real release is taken where the release cache or upstream has it; else a contract
double stands in, and the result says so.
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
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import floor
import yaml
from archives import CHECKOUT, SOVSTACK, Release, choose
from machines import Machine, bring_up_machines, start_machines, take_down_machines
from turnarounds import Turnarounds

from provisioner.lab import record

FORMAT_VERSION = 2


@dataclass(frozen=True, slots=True)
class Bars:
    """What a deployment is held to."""

    ratio: float
    again_seconds: float


BARS = {"files": Bars(1.6, 12), "all": Bars(1.6, 20)}


@dataclass(frozen=True, slots=True)
class Measured:
    """One run. CPU and peak memory are the controller's: getrusage of the command and all it waited for.

    ``load`` is this computer's when the run began; a busy one inflates the seconds, hardly those of the processors.
    ``peak_megabytes`` is the resident set of the largest single process, not the sum of several.
    """

    load: float
    seconds: float
    round_trips: int
    cpu_seconds: float
    host_cpu_seconds: float
    peak_megabytes: float
    tasks: int = 0
    changed: int = 0
    phases: dict[str, float] | None = None


def say(text: str) -> None:
    """Print a line of progress."""
    print(f"[{time.monotonic() - STARTED:4.0f} s] bench: {text}", file=sys.stderr, flush=True)


STARTED = time.monotonic()


def measure(command: Sequence[str], machine: Machine, bridge: str) -> tuple[Measured, str]:
    """Run a command that deploys on a machine to its end; return what it cost and its standard output."""
    load = os.getloadavg()[0]
    host_cpu_before = machine.cpu_seconds()
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
    host_cpu_seconds = machine.cpu_seconds() - host_cpu_before
    return Measured(load, seconds, wire.count, cpu_seconds, host_cpu_seconds, usage.ru_maxrss / 1024), text


def apply_command(profile: Path, releases: Sequence[Release], doubles: Path) -> list[str]:
    """Return the command line of ``sovstack apply`` that installs these releases."""
    command = [str(SOVSTACK), "apply", "--output", "json", "--progress", "plain", str(profile)]
    if any(release.double for release in releases):
        command += ["--releases-from", str(doubles), "--allow-doubles"]
    if all(release.double for release in releases):
        # What the cache has would go first.
        command = ["env", f"SOVSTACK_CACHE_DIR={doubles / 'cache'}", *command]
    return command


def measure_apply(command: Sequence[str], machine: Machine, bridge: str) -> Measured:
    """Measure ``sovstack apply`` and add what its report knows."""
    cost, text = measure(command, machine, bridge)
    report = json.loads(text)
    tasks = sum(
        role[outcome] for role in report["roles"] for outcome in ("ok", "changed", "failed", "skipped")
    )
    phases = {phase["name"]: round(phase["seconds"], 1) for phase in report["phases"]}
    return replace(cost, tasks=tasks, changed=len(report["changes"]), phases=phases)


def write_profile(folder: Path, profile: dict[str, Any], address: str, debian: str) -> Path:
    """Write a profile for the bench's first machine."""
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


def read_profile(services: str) -> dict[str, Any]:
    """Return the lab's profile, whole or with files alone."""
    whole: dict[str, Any] = yaml.safe_load((CHECKOUT / "inventories" / "lab" / "profile.yml").read_text())
    if services == "all":
        return whole
    alone = {key: whole[key] for key in ("version", "organisation", "sovereignty", "hosts", "tls")}
    return alone | {"services": {"files": whole["services"]["files"]}}


def choose_releases(profile: dict[str, Any], doubles: Path, *, always_double: bool) -> list[Release]:
    """Return what to install, and have the profile ask for it where that is not the catalogue's default."""
    releases = []
    for service in profile["services"].values():
        release = choose(service["app"], doubles, always_double=always_double)
        if release.version:
            service["version"] = release.version
        releases.append(release)
    return releases


def print_table(result: dict[str, Any]) -> None:
    """Print the result for people, on standard error."""
    columns = ("floor", "apply", "apply again")
    bars = result["bars"]
    rows = (
        ("seconds", "seconds", "{:.1f}"),
        ("SSH round trips", "round_trips", "{}"),
        ("tasks", "tasks", "{}"),
        ("tasks that changed", "changed", "{}"),
        ("controller CPU, s", "cpu_seconds", "{:.1f}"),
        ("host CPU, s", "host_cpu_seconds", "{:.1f}"),
        ("peak memory, MB", "peak_megabytes", "{:.0f}"),
        ("load at the start", "load", "{:.1f}"),
    )
    print(f"\n{'':20}" + "".join(f"{name:>14}" for name in columns), file=sys.stderr)
    for title, key, form in rows:
        cells = [form.format(result[name.replace(" ", "_")][key]) for name in columns]
        print(f"{title:20}" + "".join(f"{cell:>14}" for cell in cells), file=sys.stderr)
    print(
        f"\nfresh / floor: {result['ratio']:.2f} (bar: {bars['ratio']:.2f})"
        f"   apply again: {result['apply_again']['seconds']:.1f} s (bar: {bars['again_seconds']})"
        f" with {result['apply_again']['changed']} changes (bar: 0)"
        f"\n{', '.join(result['services'])} on Debian {result['debian']}, {result['cores']} cores",
        file=sys.stderr,
    )
    for release in result["releases"]:
        kind = "CONTRACT DOUBLE, no evidence about it" if release["double"] else "real"
        print(f"{release['application']}: {kind}: {', '.join(release['archives'])}", file=sys.stderr)


def main() -> None:
    """Measure, print, and take the machines down."""
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    parser.add_argument("--debian", choices=["12", "13"], default="13")
    parser.add_argument(
        "--services",
        choices=sorted(BARS),
        default="files",
        help="files alone, or all of the lab's profile [files]",
    )
    parser.add_argument(
        "--double", action="store_true", help="measure with contract doubles alone, no real release"
    )
    parser.add_argument("--keep", action="store_true", help="leave the machines of the lab `bench` running")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sovstack-bench-") as scratch:
        folder = Path(scratch)
        doubles = folder / "doubles"
        profile = read_profile(options.services)
        releases = choose_releases(profile, doubles, always_double=options.double)
        say(f"two fresh machines, Debian {options.debian}")
        (ours, bare), bridge = start_machines(options.debian)
        try:
            before = ours.manual_packages()
            path = write_profile(folder, profile, ours.address, options.debian)
            command = apply_command(path, releases, doubles)
            say("apply on a fresh machine")
            fresh = measure_apply(command, ours, bridge)
            say("apply again")
            again = measure_apply(command, ours, bridge)
            packages = floor.debian_packages(ours.manual_packages() - before, releases)
            ours.power_off()
            say(f"the floor with the same {len(packages)} packages")
            lowest, _ = measure(floor.command(profile, releases, packages, bare), bare, bridge)
        finally:
            if options.keep:
                bring_up_machines(options.debian)
            else:
                take_down_machines()
    result = {
        "format_version": FORMAT_VERSION,
        "services": [*profile["services"], *(["portal"] if "portal" in profile else [])],
        "releases": [
            {
                "application": release.application,
                "double": release.double,
                "archives": [archive.name for archive in release.archives],
            }
            for release in releases
        ],
        "debian": options.debian,
        "cores": os.cpu_count(),
        "packages": packages,
        "floor": asdict(lowest),
        "apply": asdict(fresh),
        "apply_again": asdict(again),
        "ratio": fresh.seconds / lowest.seconds,
        "bars": asdict(BARS[options.services]),
    }
    print_table(result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
