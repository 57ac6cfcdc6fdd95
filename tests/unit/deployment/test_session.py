"""However a run ends, it leaves a report, frees the lock and shows no secret."""

from __future__ import annotations

import io
import json
import stat

import pytest

from provisioner.deployment.session import Session
from provisioner.engine import events
from provisioner.engine.events import Outcome
from provisioner.errors import Busy, HostFailed, ReleaseNotTrusted
from provisioner.profile import ProfileReading
from provisioner.reporting import writers
from provisioner.reporting.jsonl import JsonLinesRenderer
from provisioner.reporting.report import Happening


@pytest.fixture
def seen() -> list[Happening]:
    return []


def failed(message: str) -> events.TaskFinished:
    return events.TaskFinished(
        time=1.0,
        host="main",
        play="p",
        role="r",
        task="t",
        outcome=Outcome.FAILED,
        seconds=1.0,
        message=message,
    )


def test_a_good_run_leaves_its_report_in_every_form(reading: ProfileReading, seen: list[Happening]) -> None:
    with Session(reading, "apply", seen.append) as session, session.phase("connect") as summarize:
        summarize("one host")
    assert session.report.exit_code == 0
    assert session.report.deployment == "gemeente"
    for name, _ in writers.FORMS.values():
        assert stat.S_IMODE((session.run.directory / name).stat().st_mode) == 0o600
    assert writers.read(session.run.directory) == session.report
    assert [type(happening).__name__ for happening in seen] == ["RunStarted", "PhaseStarted", "PhaseFinished"]


def test_an_expected_error_is_in_the_report_and_nowhere_else(
    reading: ProfileReading, seen: list[Happening]
) -> None:
    with Session(reading, "apply", seen.append) as session, session.phase("releases"):
        raise ReleaseNotTrusted("altered", hint="fetch again")
    assert session.report.exit_code == 7
    assert session.report.error
    assert session.report.error.hint == "fetch again"
    assert session.report.phases[0].failed
    with Session(reading, "apply", seen.append):  # the lock is free
        pass


@pytest.mark.parametrize(
    ("phase", "hint"),
    [
        ("converge", "the host may be half configured; run apply again"),
        ("predict", "nothing was changed on the hosts"),
        ("connect", "nothing was changed on the hosts"),
    ],
)
def test_an_interruption_says_where_and_what_to_do(
    reading: ProfileReading, seen: list[Happening], phase: str, hint: str
) -> None:
    with Session(reading, "apply", seen.append) as session, session.phase(phase):
        raise KeyboardInterrupt
    assert session.report.exit_code == 130
    assert session.report.error
    assert phase in session.report.error.message
    assert session.report.error.hint == hint


def test_a_fault_of_ours_is_reported_and_raised(reading: ProfileReading, seen: list[Happening]) -> None:
    session = Session(reading, "apply", seen.append)
    with pytest.raises(ZeroDivisionError), session:
        _ = 1 / 0
    assert writers.read(session.run.directory).exit_code == 1


def test_a_second_run_finds_the_first_busy(reading: ProfileReading, seen: list[Happening]) -> None:
    with (
        Session(reading, "apply", seen.append),
        pytest.raises(Busy, match="`apply` runs since"),
        Session(reading, "plan", seen.append),
    ):
        pass


def test_secrets_are_masked_for_everybody(reading: ProfileReading, seen: list[Happening]) -> None:
    with Session(reading, "apply", seen.append) as session:
        session.hide(["topsecret-1"])
        session.tell(failed("login with topsecret-1 failed"))
        session.note("a note about topsecret-1")
        raise HostFailed("main: r | t: topsecret-1", details="topsecret-1")
    assert "topsecret-1" not in repr(seen) + repr(session.report)
    for path in session.run.directory.iterdir():
        assert "topsecret-1" not in path.read_text()
    assert "login with *** failed" in (session.run.directory / "events.jsonl").read_text()


def test_a_known_cause_gives_the_hint(reading: ProfileReading, seen: list[Happening]) -> None:
    with Session(reading, "apply", seen.append) as session:
        session.tell(failed("write error: No space left on device"))
        raise HostFailed("main: r | t: write error")
    assert session.report.error
    assert "the disk of main is full" in (session.report.error.hint or "")


def test_a_full_disk_under_the_log_does_not_stop_the_run(
    reading: ProfileReading, seen: list[Happening]
) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    with Session(reading, "apply", seen.append) as session:
        session._log = JsonLinesRenderer(Full())
        session.note("first")
        session.note("second")
    assert session.report.exit_code == 0
    assert set(session.report.notes) == {
        "first",
        "second",
        "the run's log ends here: No space left on device",
    }


def test_a_report_that_cannot_be_written_is_told(
    reading: ProfileReading, seen: list[Happening], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writers, "write_all", refuse)
    with Session(reading, "apply", seen.append) as session:
        pass
    assert session.report.exit_code == 0
    told = [happening.text for happening in seen if isinstance(happening, events.Note)]
    assert told == [f"the report could not be written to {session.run.directory}: No space left on device"]


def test_durations_are_learned_per_verb(reading: ProfileReading, seen: list[Happening]) -> None:
    for _ in range(2):
        with Session(reading, "apply", seen.append) as session, session.phase("connect"):
            pass
    assert any(isinstance(happening, events.Forecast) for happening in seen)
    kept = json.loads((session.workspace.directory / "durations-apply.json").read_text())
    assert list(kept) == ["phase connect"]
    assert not (session.workspace.directory / "durations-plan.json").exists()


@pytest.mark.parametrize("junk", ["", "[]", '{"a": 1}', '{"a": {"changed": "x"}}', "\x00"])
def test_damaged_durations_begin_anew(reading: ProfileReading, seen: list[Happening], junk: str) -> None:
    session = Session(reading, "apply", seen.append)
    session.workspace.directory.mkdir(parents=True)
    (session.workspace.directory / "durations-apply.json").write_text(junk)
    with Session(reading, "apply", seen.append) as session, session.phase("connect"):
        pass
    assert session.report.exit_code == 0
