"""One run as events, with everything in it that a report can show."""

from __future__ import annotations

import pytest

from provisioner import sizing
from provisioner.checks.result import Check, Grade, Verdict
from provisioner.engine import events
from provisioner.engine.events import Outcome
from provisioner.errors import HostFailed
from provisioner.reporting.report import Gate, Happening, Recorder, ReleaseRecord, RunReport, fold

EVIL = '</pre><script>alert(1)</script> | `x` ``` & "q" \x00'


def task(name: str, outcome: Outcome, *, host: str = "main", role: str = "nginx", **more: str) -> Happening:
    return events.TaskFinished(
        time=20.0, host=host, play="Platform", role=role, task=name, outcome=outcome, seconds=2.0, **more
    )


def check(identity: str, verdict: Verdict, actual: str = "seen") -> Check:
    return Check(identity, "It holds", "main", Grade.OBSERVED_ON_HOST, verdict, "mend it", "exp", actual, 0.5)


HAPPENINGS: list[Happening] = [
    events.RunStarted(time=10.0, deployment="lab", verb="apply", run="r1", directory="/runs/r1"),
    events.PhaseStarted(time=10.0, phase="releases"),
    ReleaseRecord("nextcloud", "34.0.1", "cache", "ab" * 32, (Gate("digest", "pass", "as published"),), "me"),
    events.PhaseFinished(time=12.0, phase="releases", summary="nextcloud 34.0.1"),
    events.PhaseStarted(time=12.0, phase="converge"),
    sizing.divide("main", {"nginx"}, users=180, memory=2048),
    events.Note(time=12.0, text="careful"),
    events.Note(time=12.5, text="careful"),
    events.PlayStarted(time=13.0, play="Platform"),
    events.TaskStarted(time=13.0, play="Platform", role="nginx", task="Install"),
    events.HostTaskStarted(time=13.0, host="main", role="nginx", task="Install"),
    task("Install", Outcome.OK),
    events.FileDiff(time=15.0, host="main", role="nginx", task="Configure", diff="-a\n+b"),
    events.FileDiff(time=15.0, host="main", role="nginx", task="Configure", diff=f"+{EVIL}"),
    task("Configure", Outcome.CHANGED),
    task("Look", Outcome.SKIPPED),
    task("Try", Outcome.IGNORED, message="never mind"),
    events.TaskRetried(time=16.0, host="main", role="nginx", task="Start", attempt=1),
    task(
        "Start",
        Outcome.FAILED,
        message="it fell",
        output="\n".join(f"line {n}" for n in range(30)),
        place="/r:3",
    ),
    events.Unknown(time=17.0, kind="novelty"),
    events.PhaseFinished(time=20.0, phase="converge", summary="5 tasks", failed=True),
    check("A-PASS", Verdict.PASS),
    check("B-FAIL", Verdict.FAIL, EVIL),
    check("C-NONE", Verdict.NOT_ASSESSED, "no answer"),
    check("D-WARN", Verdict.WARN),
]


def finish(recorder: Recorder, **changes: object) -> RunReport:
    facts: dict[str, object] = {
        "deployment": "lab",
        "organisation": f"Gemeente {EVIL}",
        "run": "r1",
        "verb": "apply",
        "directory": "/runs/r1",
        "started": 10.0,
        "ended": 21.5,
        "hosts": {"main": "10.77.0.11"},
        "versions": {"sovstack": "0.1.0"},
        "digests": {"content": "cd" * 32},
        "error": HostFailed("main: nginx | Start: it fell", details="it\nfell", hint="lift it"),
    }
    return recorder.report(**(facts | changes))  # type: ignore[arg-type]


@pytest.fixture
def report() -> RunReport:
    return finish(fold(HAPPENINGS))


@pytest.fixture
def double() -> RunReport:
    recorder = fold([*HAPPENINGS, ReleaseRecord("mattermost", "11.0.0", "double", "ef" * 32)])
    return finish(recorder, error=None)
