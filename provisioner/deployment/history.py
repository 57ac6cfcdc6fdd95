"""What earlier runs of a deployment left: their reports, and what they tell about the hosts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from provisioner.engine.workspace import Workspace
from provisioner.errors import UsageError
from provisioner.inventory import wanted_releases
from provisioner.profile import Profile
from provisioner.releases import Catalogue
from provisioner.reporting import writers
from provisioner.reporting.report import DOUBLE, UNKNOWN, ReleaseRecord, RunReport


def reports(workspace: Workspace) -> Iterator[RunReport]:
    """Yield the readable reports of past runs, the newest first."""
    for directory in workspace.runs():
        try:
            yield writers.read(directory)
        except UsageError:
            continue


def find(workspace: Workspace, run: str | None) -> RunReport:
    """Return the report of a run: of the one named, or of the newest.

    Raises:
        UsageError: There is no such run, or no report of it.
    """
    directories = workspace.runs()
    if run is None:
        for report in reports(workspace):
            return report
        raise UsageError(f"no run of {workspace.name} left a report", hint="sovstack apply makes one")
    found = [directory for directory in directories if directory.name.startswith(run)]
    if len(found) != 1:
        known = ", ".join(directory.name for directory in directories[:5]) or "none"
        raise UsageError(
            f"{len(found)} runs of {workspace.name} are named {run}", hint=f"the newest are: {known}"
        )
    return writers.read(found[0])


def installed_releases(
    workspace: Workspace, profile: Profile, doubles: Collection[str]
) -> list[ReleaseRecord]:
    """Return what the newest ``apply`` from this computer installed that converged to its end.

    What another computer installed is not known here: its origin is ``unknown``. The hosts tell which are contract
    ``doubles``; a double of this computer's counts as one also where they do not, until an ``apply`` from here.
    """
    last: dict[str, ReleaseRecord] = {}
    for report in reports(workspace):
        if any(phase.name == "converge" and not phase.failed for phase in report.phases):
            last = {release.application: release for release in report.releases}
            break
    return [
        _find(last, release.name, release.own_version, is_double=release.name in doubles)
        for release in wanted_releases(profile, Catalogue.load())
    ]


def _find(last: Mapping[str, ReleaseRecord], name: str, version: str, *, is_double: bool) -> ReleaseRecord:
    record = last.get(name)
    if is_double and not (record and record.double):
        return ReleaseRecord(name, version, DOUBLE, "")
    return record or ReleaseRecord(name, version, UNKNOWN, "")
