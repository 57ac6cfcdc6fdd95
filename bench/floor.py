"""The floor: which scripts run on the bare machine, and with what."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from archives import Release
from machines import Machine

SCRIPTS = Path(__file__).resolve().parent
REMOTE = "/root"


def debian_packages(installed: set[str], releases: Sequence[Release]) -> list[str]:
    """Return those of the installed packages that are Debian's, not a release's own."""
    own = {archive.name.partition("_")[0] for release in releases for archive in release.archives}
    return sorted(installed - own)


def command(
    profile: Mapping[str, Any], releases: Sequence[Release], packages: Sequence[str], machine: Machine
) -> list[str]:
    """Return the command that copies archives and scripts to ``machine`` and runs them there."""
    runs = _runs(profile, releases, packages)
    files = [archive for release in releases for archive in release.archives]
    files += [SCRIPTS / run[0] for run in runs]
    config = shlex.quote(machine.ssh_config)
    copy = f"scp -q -F {config} {shlex.join(map(str, files))} {machine.hostname}:{REMOTE}/"
    remote = " && ".join(shlex.join([f"{REMOTE}/{script}", *arguments]) for script, *arguments in runs)
    return ["sh", "-c", f"{copy} && ssh -F {config} {machine.hostname} {shlex.quote(remote)} >&2"]


def _runs(
    profile: Mapping[str, Any], releases: Sequence[Release], packages: Sequence[str]
) -> list[list[str]]:
    """Return the scripts that deploy what the profile asks for, in their order, each with its arguments.

    The first one installs Debian's packages for all.
    """
    services: Mapping[str, Mapping[str, Any]] = profile["services"]
    hostnames = {purpose: service["hostname"] for purpose, service in services.items()}
    archives = {
        release.application: [f"{REMOTE}/{archive.name}" for archive in release.archives]
        for release in releases
    }
    runs = [["floor.sh", *archives["nextcloud"], hostnames["files"], *packages]]
    if "chat" in services:
        runs.append(["floor-chat.sh", *archives["mattermost"], hostnames["chat"]])
    if "meet" in services:
        runs.append(["floor-meet.sh", hostnames["meet"], *archives["jitsi"]])
    if "portal" in profile:
        runs.append(["floor-portal.sh", profile["organisation"]["domain"], *hostnames.values()])
    return runs
