"""How a deployment stands: who works on it, what the last runs did, which hosts answer."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioner.deployment import history, steps
from provisioner.deployment.session import versions
from provisioner.engine import connection, runner
from provisioner.engine.connection import Contact
from provisioner.engine.host_keys import fingerprint
from provisioner.engine.processes import end_marked
from provisioner.engine.workspace import Run, Workspace
from provisioner.profile import ProfileReading
from provisioner.reporting.summary import outcome


@dataclass(frozen=True, slots=True)
class PastRun:
    """One earlier run, in short."""

    run: str
    verb: str
    started: str
    seconds: float
    outcome: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class HostState:
    """Whether a host can be worked with; ``state`` is its system, or what is wrong."""

    name: str
    address: str
    reachable: bool
    state: str


@dataclass(frozen=True, slots=True)
class Status:
    """What ``status`` found."""

    deployment: str
    busy: str | None
    hosts: tuple[HostState, ...]
    runs: tuple[PastRun, ...]
    releases: Mapping[str, str]
    versions: Mapping[str, str]
    directory: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-like data."""
        return {"format_version": 1, **dataclasses.asdict(self)}


def look(reading: ProfileReading, runs: int) -> Status:
    """Find out how a deployment stands, with the last ``runs`` runs."""
    workspace = Workspace(reading.folder)
    contacts = _meet_hosts(reading)
    doubles = frozenset().union(*(contact.doubles for contact in contacts))
    past: list[PastRun] = []
    for report in history.reports(workspace):
        if len(past) == runs:
            break
        past.append(
            PastRun(
                report.run, report.verb, report.started, report.seconds, outcome(report), report.exit_code
            )
        )
    return Status(
        deployment=workspace.name,
        busy=workspace.holder(),
        hosts=tuple(
            HostState(contact.target.name, contact.target.address, contact.error is None, _describe(contact))
            for contact in contacts
        ),
        runs=tuple(past),
        releases={
            release.application: f"{release.version} from {release.origin}"
            for release in history.installed_releases(workspace, reading.profile, doubles)
        },
        versions=versions(),
        directory=str(workspace.directory),
    )


def to_text(status: Status) -> str:
    """Return it for people."""
    lines = [f"{status.deployment}: {status.busy or 'no run at work'}", ""]
    lines += [f"  {host.name:<12} {host.address:<16} {host.state}" for host in status.hosts]
    lines += ["", *(f"  {application} {release}" for application, release in status.releases.items()), ""]
    for past in status.runs:
        lines.append(f"  {past.run:<28} {past.seconds:>7.1f} s  {past.outcome}")
    if not status.runs:
        lines.append("  no runs yet")
    lines += ["", "  " + ", ".join(f"{name} {version}" for name, version in status.versions.items())]
    lines.append(f"  runs in {status.directory}")
    return "\n".join(lines)


def _meet_hosts(reading: ProfileReading) -> list[Contact]:
    with tempfile.TemporaryDirectory(prefix="sovstack-status-") as scratch:
        place = Path(scratch)
        try:
            return connection.connect(
                Run("status", place, place),
                steps.targets(reading.profile),
                reading.folder / steps.KNOWN_HOSTS,
                runner.base_environment(),
                record=False,
            )
        finally:
            end_marked(scratch)


def _describe(contact: Contact) -> str:
    if contact.error:
        return contact.error.message
    unknown = (
        f"; SSH host key not recorded yet: {fingerprint(contact.first_key)}" if contact.first_key else ""
    )
    return contact.system + unknown
