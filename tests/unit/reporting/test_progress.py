"""What people see while a run goes on, and how long it says it will take."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from provisioner.checks.result import Verdict
from provisioner.engine import events
from provisioner.engine.events import Event, Outcome
from provisioner.reporting.forecast import Forecaster
from provisioner.reporting.jsonl import JsonLinesRenderer
from provisioner.reporting.live import LiveRenderer
from provisioner.reporting.plain import PlainRenderer

from .conftest import HAPPENINGS, check, task


def test_plain_is_one_line_each_with_seconds() -> None:
    stream = io.StringIO()
    renderer = PlainRenderer(stream)
    for happening in HAPPENINGS:
        renderer.add(happening)
    renderer.add(check("E-FAIL", Verdict.FAIL, "one\ntwo"))
    renderer.close()
    text = stream.getvalue()
    assert "               one\n               two\n" in text
    assert "    0.0s apply lab, run r1\n" in text
    assert "    2.0s releases done: nextcloud 34.0.1\n" in text
    assert "   10.0s   changed  main  nginx | Configure  (2.0 s)\n" in text
    assert "   10.0s   failed  main  nginx | Start  (2.0 s)\n" in text
    assert "             line 29\n" in text
    assert "line 9\n" not in text
    assert "main  nginx | Install" not in text  # nothing changed there
    assert "nextcloud 34.0.1 from cache" in text
    assert "B-FAIL" in text
    assert "A-PASS" not in text
    assert "\x1b" not in text


def test_json_lines_hold_every_happening() -> None:
    stream = io.StringIO()
    renderer = JsonLinesRenderer(stream)
    for happening in HAPPENINGS:
        renderer.add(happening)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(lines) == len(HAPPENINGS)
    assert {line["event"] for line in lines} >= {"RunStarted", "TaskFinished", "Check", "Release", "Unknown"}


def test_live_shows_what_changed_and_leaves_the_terminal_alone() -> None:
    stream = io.StringIO()
    renderer = LiveRenderer(stream)
    try:
        for happening in HAPPENINGS:
            renderer.add(happening)
        renderer.add(events.Forecast(time=1.0, remaining=90.0))
        renderer.add(
            events.Progressed(time=1.0, text="downloading", done=5_000_000, total=10_000_000, unit="bytes")
        )
        renderer.add(check("E-[bold]", Verdict.FAIL, "[/] markup in what was seen\nand a second line"))
    finally:
        renderer.close()
    text = stream.getvalue()
    assert "Configure" in text
    assert "line 29" in text
    assert [line.rstrip() for line in text.splitlines() if "what was seen" in line or "second" in line] == [
        "          [/] markup in what was seen",
        "          and a second line",
    ]


def test_live_survives_being_closed_before_it_began() -> None:
    LiveRenderer(io.StringIO()).close()


def steps(*turns: tuple[str, float, bool], start: float = 0.0) -> list[Event]:
    """Return the events of a playbook whose tasks take so long and do or do not change something."""
    now, made = start, [events.PhaseStarted(time=start, phase="converge")]
    result: list[Event] = list(made)
    for name, seconds, changed in turns:
        result.append(events.TaskStarted(time=now, play="p", role="r", task=name))
        now += seconds
        result.append(task(name, Outcome.CHANGED if changed else Outcome.OK))  # type: ignore[arg-type]
    result.append(events.PhaseFinished(time=now, phase="converge"))
    return result


def learn(past: object, happenings: list[Event], *, finished: bool = True) -> dict[str, dict[str, float]]:
    forecaster = Forecaster(past)  # type: ignore[arg-type]
    for event in happenings:
        forecaster.add(event)
    return forecaster.learned(finished=finished)


FRESH = (("a", 10.0, True), ("b", 60.0, True), ("c", 30.0, True))
AGAIN = (("a", 1.0, False), ("b", 1.0, False), ("c", 1.0, False))


def test_nothing_is_forecast_the_first_time() -> None:
    assert Forecaster({}).remaining(1.0) is None


def test_forecast_counts_down_while_tasks_end() -> None:
    known = learn({}, steps(*FRESH))
    forecaster = Forecaster(known)
    left = []
    for event in steps(*FRESH):
        forecaster.add(event)
        if isinstance(event, events.TaskStarted):
            left.append(forecaster.remaining(event.time))
    assert left == [100.0, 90.0, 30.0]
    forecaster = Forecaster(known)
    forecaster.add(steps(*FRESH)[1])
    assert forecaster.remaining(4.0) == 96.0


def test_forecast_tells_a_fresh_host_from_a_converged_one() -> None:
    known = learn(learn({}, steps(*FRESH)), steps(*AGAIN))
    fresh, again = Forecaster(known), Forecaster(known)
    for event in steps(*FRESH)[:4]:
        fresh.add(event)
    for event in steps(*AGAIN)[:4]:
        again.add(event)
    assert fresh.remaining(10.0) == pytest.approx(90.0)
    assert again.remaining(1.0) == pytest.approx(2.0)


def test_figures_are_averaged_with_earlier_ones() -> None:
    known = learn(learn({}, steps(("a", 10.0, False))), steps(("a", 20.0, False)))
    assert known["task p | r | a"] == {"unchanged": 15.0}


def test_a_first_run_that_was_interrupted_teaches_nothing() -> None:
    assert learn({}, steps(*FRESH)[:4], finished=False) == {}
    known = learn({}, steps(*FRESH))
    later = learn(known, steps(("a", 20.0, True)), finished=False)
    assert later["task p | r | a"] == {"changed": 15.0}
    assert later.keys() == known.keys()


@pytest.mark.parametrize(("remaining", "shown"), [(90.0, True), (5.0, False)])
def test_a_forecast_that_has_run_out_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, remaining: float, shown: bool
) -> None:
    renderer = LiveRenderer(io.StringIO())
    renderer.add(events.Forecast(time=1000.0, remaining=remaining))
    monkeypatch.setattr("time.time", lambda: 1010.0)
    console = Console(file=io.StringIO(), width=100)
    with console.capture() as frame:
        console.print(renderer._frame())
    assert ("about 1:20 left" in frame.get()) == ("left" in frame.get()) == shown


def test_a_failed_phase_teaches_nothing() -> None:
    failed = [
        events.PhaseStarted(time=0.0, phase="connect"),
        events.PhaseFinished(time=10.0, phase="connect", failed=True),
    ]
    assert learn({}, failed) == {}
