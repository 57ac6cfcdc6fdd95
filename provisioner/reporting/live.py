"""Progress for people: what changed scrolls by; under it stands what goes on now and how long it takes."""

from __future__ import annotations

import time
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from provisioner.checks.result import Check, Verdict
from provisioner.engine import events
from provisioner.engine.events import Outcome
from provisioner.reporting.report import Happening, ReleaseRecord, last_lines

_STYLES = {
    Outcome.CHANGED: "yellow",
    Outcome.FAILED: "bold red",
    Outcome.UNREACHABLE: "bold red",
    Outcome.IGNORED: "dim",
}
_VERDICT_STYLES = {Verdict.FAIL: "bold red", Verdict.WARN: "yellow", Verdict.NOT_ASSESSED: "magenta"}
_FRAMES_PER_SECOND = 8


class LiveRenderer:
    """Show a run on a terminal."""

    def __init__(self, stream: TextIO) -> None:
        """Take the terminal."""
        self._console = Console(file=stream, highlight=False)
        self._started = time.time()
        self._title = ""
        self._phase = ""
        self._play = ""
        self._progress = ""
        self._remaining: tuple[float, float] | None = None
        self._tasks: dict[str, str] = {}
        self._counts: dict[str, dict[str, int]] = {}
        self._checked = 0
        self._spinner = Spinner("dots")
        self._live = Live(
            get_renderable=self._frame,
            console=self._console,
            refresh_per_second=_FRAMES_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def add(self, happening: Happening) -> None:
        """Show one happening."""
        match happening:
            case events.RunStarted():
                self._started = happening.time
                self._title = f"{happening.verb} {happening.deployment}"
                self._live.start()
            case events.PhaseStarted():
                self._phase, self._play, self._progress = happening.phase, "", ""
            case events.PhaseFinished():
                self._tasks.clear()
                mark = "[red]failed[/]" if happening.failed else "[green]done[/]  "
                self._print(f"{mark} {happening.phase:<10} {escape(happening.summary)}")
            case events.Forecast():
                self._remaining = (happening.time, happening.remaining)
            case events.Progressed():
                self._progress = _progress(happening)
            case events.PlayStarted():
                self._play = happening.play
            case events.HostTaskStarted():
                self._tasks[happening.host] = _name(happening.role, happening.task)
            case events.TaskFinished():
                self._finish(happening)
            case events.TaskRetried():
                self._tasks[happening.host] = (
                    f"{_name(happening.role, happening.task)} (try {happening.attempt + 1})"
                )
            case events.Note():
                self._print(f"[dim]note   {escape(happening.text)}[/]")
            case ReleaseRecord():
                self._print(
                    f"       {happening.application} {happening.version} from [bold]{happening.origin}[/]"
                )
            case Check():
                self._check(happening)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._live.stop()

    def _finish(self, task: events.TaskFinished) -> None:
        counts = self._counts.setdefault(task.host, {})
        counts[task.outcome] = counts.get(task.outcome, 0) + 1
        self._tasks.pop(task.host, None)
        if style := _STYLES.get(task.outcome):
            name = escape(_name(task.role, task.task))
            self._print(
                f"[{style}]{task.outcome:<7}[/] {escape(task.host)}  {name}  [dim]{task.seconds:.1f} s[/]"
            )
        if task.outcome in (Outcome.FAILED, Outcome.UNREACHABLE):
            self._print_under(task.message)
            self._print_under(last_lines(task.output))

    def _check(self, check: Check) -> None:
        self._checked += 1
        self._progress = f"{self._checked} checks"
        if style := _VERDICT_STYLES.get(check.verdict):
            self._print(
                f"[{style}]{check.verdict.value}[/] {check.id} {escape(check.target)}: {escape(check.title)}"
            )
            self._print_under(check.actual)

    def _print(self, markup: str) -> None:
        self._console.print(Text.from_markup(markup))

    def _print_under(self, text: str) -> None:
        if text:
            self._console.print(Padding(Text(text), (0, 0, 0, 10), expand=False))

    def _frame(self) -> RenderableType:
        now = time.time()
        head = f"[bold]{escape(self._title)}[/]  {self._phase}"
        if detail := self._progress or self._play:
            head += f"  [dim]{escape(detail)}[/]"
        head += f"  {_clock(now - self._started)}"
        if self._remaining:
            since, seconds = self._remaining
            if (left := seconds - (now - since)) >= 1:  # a forecast that has run out was wrong
                head += f"  [dim]about {_clock(left)} left[/]"
        self._spinner.update(text=Text.from_markup(head))
        rows = Table.grid(padding=(0, 1))
        for host, task in self._tasks.items():
            counts = self._counts.get(host, {})
            done = sum(counts.values()) - counts.get(Outcome.SKIPPED, 0)
            rows.add_row(
                f"  [cyan]{escape(host)}[/]",
                f"{done} done, {counts.get(Outcome.CHANGED, 0)} changed",
                escape(task),
            )
        return Group(self._spinner, rows)


def _name(role: str, task: str) -> str:
    return f"{role} | {task}" if role else task


def _progress(step: events.Progressed) -> str:
    if step.done is None:
        return step.text
    if step.unit == "bytes":
        done, total, unit = step.done / 1e6, step.total and step.total / 1e6, "MB"
    else:
        done, total, unit = float(step.done), step.total, step.unit
    return f"{step.text}: {done:.0f} of {total:.0f} {unit}" if total else f"{step.text}: {done:.0f} {unit}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
