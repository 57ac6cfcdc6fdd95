"""The verbs of a deployment: what they ask, print and return. The pipeline itself is replaced."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provisioner import cli, deployment
from provisioner.engine import events
from provisioner.engine.events import Outcome
from provisioner.errors import ExitCode, HostFailed, ProvisionerError
from provisioner.reporting.report import Recorder, RunReport, from_dict

LAB = Path(__file__).parents[3] / "inventories" / "lab" / "profile.yml"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOVSTACK_STATE_DIR", str(tmp_path / "state"))
    made = tmp_path / "gemeente"
    made.mkdir()
    (made / "profile.yml").write_text(LAB.read_text())
    return made


def report(verb: str, *, changed: bool = False, error: ProvisionerError | None = None) -> RunReport:
    recorder = Recorder()
    if changed:
        recorder.add(
            events.TaskFinished(
                time=1.0,
                host="main",
                play="p",
                role="nginx",
                task="Write",
                outcome=Outcome.CHANGED,
                seconds=1.0,
            )
        )
    return recorder.report(
        deployment="gemeente",
        organisation="o",
        run="r1",
        verb=verb,
        directory="/runs/r1",
        started=1.0,
        ended=2.0,
        hosts={},
        versions={},
        digests={},
        error=error,
    )


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[Any, ...]]]:
    """Let a verb of the pipeline return a report, and remember how it was called."""

    def give(verb: str, result: RunReport) -> list[tuple[Any, ...]]:
        calls: list[tuple[Any, ...]] = []

        def run(*arguments: Any) -> RunReport:
            calls.append(arguments)
            return result

        monkeypatch.setattr(deployment, verb, run)
        return calls

    return give


def test_apply_prints_the_summary_and_last_the_place(
    folder: Path, answer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answer("apply", report("apply", changed=True))
    assert cli.run(["apply", str(folder)]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("apply gemeente: done, 1 changed")
    assert said.err.splitlines()[-1] == "report: /runs/r1"


def test_options_and_transport_reach_the_pipeline(
    folder: Path, answer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOVSTACK_TRANSPORT", "ssh")
    calls = answer("apply", report("apply"))
    cli.run(["apply", str(folder), "--allow-doubles", "--releases-from", str(tmp_path), "--progress", "none"])
    assert calls[0][2] == deployment.Options(True, tmp_path, "ssh")


def test_a_failed_run_gives_its_code_and_says_why(
    folder: Path, answer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answer("apply", report("apply", error=HostFailed("main: it fell", details="words", hint="lift it")))
    assert cli.run(["apply", str(folder)]) == ExitCode.HOST_FAILED
    assert "error: main: it fell\n  words\nhint: lift it\n" in capsys.readouterr().err


def test_json_is_the_whole_report_also_of_a_failed_run(
    folder: Path, answer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = report("apply", error=HostFailed("main: it fell"))
    answer("apply", failed)
    assert cli.run(["apply", str(folder), "--output", "json"]) == ExitCode.HOST_FAILED
    data = json.loads(capsys.readouterr().out)
    assert from_dict(data) == failed
    assert data["error"]["exit_code"] == 4


@pytest.mark.parametrize(
    ("changed", "flag", "code"), [(True, True, 2), (True, False, 0), (False, True, 0), (False, False, 0)]
)
def test_detailed_exit_code_of_plan(folder: Path, answer: Any, changed: bool, flag: bool, code: int) -> None:
    answer("plan", report("plan", changed=changed))
    assert cli.run(["plan", str(folder), *(["--detailed-exitcode"] if flag else [])]) == code


def test_a_failed_plan_is_not_a_pending_change(folder: Path, answer: Any) -> None:
    answer("plan", report("plan", changed=True, error=HostFailed("m")))
    assert cli.run(["plan", str(folder), "--detailed-exitcode"]) == ExitCode.HOST_FAILED


@pytest.mark.parametrize(
    ("typed", "code", "runs"), [("gemeente\n", 0, 1), ("other\n", ExitCode.USAGE, 0), ("", ExitCode.USAGE, 0)]
)
def test_destroy_asks_for_the_name(
    folder: Path,
    answer: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: str,
    code: int,
    runs: int,
) -> None:
    calls = answer("destroy", report("destroy"))
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert cli.run(["destroy", str(folder)]) == code
    assert len(calls) == runs
    said = capsys.readouterr().err
    assert "ALL DATA of gemeente" in said
    assert ("--yes" in said) == bool(code)


def test_destroy_asks_nothing_when_told_so(folder: Path, answer: Any) -> None:
    calls = answer("destroy", report("destroy"))
    assert cli.run(["destroy", str(folder), "--yes"]) == 0
    assert len(calls) == 1


def test_an_invalid_profile_begins_no_run(
    folder: Path, answer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = answer("apply", report("apply"))
    (folder / "profile.yml").write_text("version: 1\nhosts: 3\n")
    assert cli.run(["apply", str(folder)]) == ExitCode.PROFILE_INVALID
    assert calls == []
    assert "profile.yml:2:" in capsys.readouterr().err
    assert cli.run(["apply", str(folder), "--output", "json"]) == ExitCode.PROFILE_INVALID
    assert json.loads(capsys.readouterr().out)["error"]["problems"]


def test_a_progress_reader_that_goes_away_does_not_stop_the_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    told = []

    def run(reading: Any, observe: Any, options: Any) -> RunReport:
        monkeypatch.setattr("sys.stderr", io.StringIO())
        for number in range(3):
            observe(events.Note(time=1.0, text=str(number)))
            told.append(number)
        return report("apply")

    monkeypatch.setattr(deployment, "apply", run)
    monkeypatch.setattr("sys.stderr", Closed())
    assert cli.run(["apply", str(folder), "--progress", "plain"]) == 0
    assert told == [0, 1, 2]


def test_report_of_a_run_that_is_not_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["report", str(folder)]) == ExitCode.USAGE
    assert "no run of gemeente left a report" in capsys.readouterr().err
