"""Past runs are found by name or age, and tell where what is installed came from."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

import pytest

from provisioner.deployment import history
from provisioner.engine import events
from provisioner.engine.workspace import Workspace
from provisioner.errors import UsageError
from provisioner.profile import Profile, load_profile
from provisioner.reporting import writers
from provisioner.reporting.report import Recorder, ReleaseRecord

LAB = Path(__file__).parents[3] / "inventories" / "lab" / "profile.yml"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("SOVSTACK_STATE_DIR", str(tmp_path))
    return Workspace(tmp_path / "inventories" / "lab")


@pytest.fixture
def profile() -> Profile:
    return load_profile(LAB)


def leave(workspace: Workspace, run: str, origin: str | None = None, *, converged: bool = True) -> None:
    recorder = Recorder()
    if origin:
        recorder.add(ReleaseRecord("nextcloud", "34.0.1", origin, "ab" * 32))
    recorder.add(events.PhaseStarted(time=1.0, phase="converge" if origin else "predict"))
    recorder.add(
        events.PhaseFinished(time=2.0, phase="converge" if origin else "predict", failed=not converged)
    )
    report = recorder.report(
        deployment="lab",
        organisation="o",
        run=run,
        verb=run.split("-")[1],
        directory="",
        started=1.0,
        ended=2.0,
        hosts={},
        versions={},
        digests={},
    )
    writers.write_all(report, workspace.runs_directory / run)


def test_the_newest_report_is_the_default(workspace: Workspace) -> None:
    leave(workspace, "20260101T000000-apply", "cache")
    leave(workspace, "20260102T000000-plan")
    (workspace.runs_directory / "20260103T000000-apply").mkdir()  # killed: it left no report
    assert history.find(workspace, None).run == "20260102T000000-plan"


def origins(workspace: Workspace, profile: Profile, doubles: Set[str]) -> dict[str, str]:
    found = history.installed_releases(workspace, profile, doubles)
    return {release.application: release.origin for release in found}


def test_a_run_is_found_by_the_beginning_of_its_name(workspace: Workspace) -> None:
    leave(workspace, "20260101T000000-apply", "cache")
    leave(workspace, "20260102T000000-plan")
    assert history.find(workspace, "20260101").verb == "apply"
    with pytest.raises(UsageError, match="2 runs of lab are named 2026"):
        history.find(workspace, "2026")
    with pytest.raises(UsageError, match="0 runs"):
        history.find(workspace, "x")


def test_a_run_without_a_report_says_so(workspace: Workspace) -> None:
    (workspace.runs_directory / "20260103T000000-apply").mkdir(parents=True)
    with pytest.raises(UsageError, match="left no report"):
        history.find(workspace, "20260103")
    with pytest.raises(UsageError, match="no run of lab left a report"):
        history.find(workspace, None)


@pytest.mark.parametrize("junk", ["", "{}", "[]", '{"format_version": 99}', '{"format_version": 1}'])
def test_damaged_reports_are_passed_over(workspace: Workspace, junk: str) -> None:
    leave(workspace, "20260101T000000-apply", "cache")
    damaged = workspace.runs_directory / "20260109T000000-apply"
    damaged.mkdir()
    (damaged / "report.json").write_text(junk)
    assert [report.run for report in history.reports(workspace)] == ["20260101T000000-apply"]
    with pytest.raises(UsageError, match="cannot be read"):
        history.find(workspace, "20260109")


def test_what_is_installed_came_from_the_newest_apply_that_converged(
    workspace: Workspace, profile: Profile
) -> None:
    leave(workspace, "20260101T000000-apply", "double")
    leave(workspace, "20260102T000000-apply", "cache")
    leave(workspace, "20260103T000000-apply", "upstream", converged=False)
    leave(workspace, "20260104T000000-plan")
    assert origins(workspace, profile, doubles=set())["nextcloud"] == "cache"


def test_what_is_a_double_is_told_by_the_hosts_and_remembered(workspace: Workspace, profile: Profile) -> None:
    """Another computer may have deployed since; a host that does not answer tells nothing."""
    leave(workspace, "20260101T000000-apply", "cache")
    found = origins(workspace, profile, doubles={"nextcloud", "jicofo"})
    assert (found["nextcloud"], found["mattermost"], found["jicofo"]) == ("double", "unknown", "double")
    leave(workspace, "20260102T000000-apply", "double")
    assert origins(workspace, profile, doubles={"nextcloud"})["nextcloud"] == "double"
    assert origins(workspace, profile, doubles=set())["nextcloud"] == "double"


def test_what_another_computer_installed_is_unknown_here(workspace: Workspace, profile: Profile) -> None:
    releases = history.installed_releases(workspace, profile, set())
    assert [release.application for release in releases] == [
        *("nextcloud", "mattermost"),
        *("jitsi-meet-web", "jitsi-meet-prosody", "jicofo", "jitsi-videobridge2"),
    ]
    assert {release.origin for release in releases} == {"unknown"}
