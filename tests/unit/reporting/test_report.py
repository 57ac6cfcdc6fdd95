"""Events fold into a report, and the report survives JSON."""

from __future__ import annotations

import json

import pytest

from provisioner.checks.result import Verdict
from provisioner.engine import events
from provisioner.engine.events import Outcome
from provisioner.reporting.report import Recorder, RoleResult, RunReport, fold, from_dict, last_lines

from .conftest import EVIL, HAPPENINGS, check, finish, task


def test_counts_per_host_and_role(report: RunReport) -> None:
    assert report.roles == (RoleResult("main", "nginx", ok=2, changed=1, failed=1, skipped=1, seconds=10.0),)
    assert (report.tasks, report.changed) == (4, 1)


def test_a_change_has_the_differences_of_its_task_only(report: RunReport) -> None:
    [change] = report.changes
    assert (change.task, change.diff) == ("Configure", f"-a\n+b\n+{EVIL}")
    recorder = fold(
        [
            events.FileDiff(time=1.0, host="main", role="r", task="same name", diff="-1"),
            task("same name", Outcome.CHANGED, role="r"),
            task("same name", Outcome.CHANGED, role="r"),
        ]
    )
    assert [change.diff for change in finish(recorder).changes] == ["-1", ""]


def test_a_failure_keeps_its_last_lines(report: RunReport) -> None:
    [failure] = report.failures
    assert (failure.message, failure.place, failure.unreachable) == ("it fell", "/r:3", False)
    assert failure.output.splitlines() == [f"line {n}" for n in range(10, 30)]


def test_a_lost_host_is_a_failure_of_its_own_kind() -> None:
    [failure] = finish(fold([task("Install", Outcome.UNREACHABLE, message="gone")])).failures
    assert failure.unreachable


def test_phases_have_wall_times_also_unfinished_ones() -> None:
    recorder = fold(HAPPENINGS[:6])
    assert [(phase.name, phase.seconds, phase.failed) for phase in finish(recorder).phases] == [
        ("releases", 2.0, False),
        ("converge", 9.5, True),
    ]


def test_notes_are_told_once(report: RunReport) -> None:
    assert report.notes == ("careful",)


def test_exit_code_is_the_error_s(report: RunReport) -> None:
    assert (report.exit_code, report.seconds) == (4, 11.5)
    assert report.error
    assert report.error.kind == "HostFailed"
    assert finish(Recorder(), error=None).exit_code == 0


def test_verdicts_are_all_named(report: RunReport) -> None:
    assert report.verdicts() == {Verdict.PASS: 1, Verdict.WARN: 1, Verdict.FAIL: 1, Verdict.NOT_ASSESSED: 1}


def test_json_gives_the_same_report_back(report: RunReport) -> None:
    data = json.loads(json.dumps(report.to_dict()))
    assert data["format_version"] == 1
    assert from_dict(data) == report


def test_json_says_first_what_it_is_no_evidence_about(double: RunReport) -> None:
    assert list(double.to_dict())[:2] == ["format_version", "evidence_missing_for"]
    assert double.to_dict()["evidence_missing_for"] == ["mattermost"]


def test_keys_of_later_versions_are_left_out(report: RunReport) -> None:
    assert from_dict({**report.to_dict(), "novelty": 1}) == report


@pytest.mark.parametrize("data", [{}, {"format_version": 2}, {"format_version": 1}])
def test_what_is_no_report_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="report"):
        from_dict(data)


def test_last_lines_of_short_and_empty_texts() -> None:
    assert last_lines("") == ""
    assert last_lines("a\nb\n\n") == "a\nb"


def test_checks_are_read_the_worst_first_and_by_name() -> None:
    came = [("B", Verdict.PASS), ("D", Verdict.FAIL), ("A", Verdict.PASS), ("C", Verdict.NOT_ASSESSED)]
    report = finish(fold([check(identity, verdict) for identity, verdict in came]))
    assert [found.id for found in report.checks_to_read()] == ["D", "C", "A", "B"]
