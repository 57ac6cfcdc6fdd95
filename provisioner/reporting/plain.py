"""Progress for logs and CI: a line per phase and per changed or failed task; no colour, no cursor moves."""

from __future__ import annotations

from typing import TextIO

from provisioner.checks.result import Check, Verdict
from provisioner.engine import events
from provisioner.engine.events import Outcome
from provisioner.reporting.report import Happening, ReleaseRecord, last_lines

_SHOWN = {Outcome.CHANGED, Outcome.FAILED, Outcome.UNREACHABLE, Outcome.IGNORED}


class PlainRenderer:
    """Write lines to a stream as things happen, each with the seconds since the run began."""

    def __init__(self, stream: TextIO) -> None:
        """Take where to write."""
        self._stream = stream
        self._started = 0.0
        self._progress = ""

    def add(self, happening: Happening) -> None:
        """Print what one happening is worth."""
        match happening:
            case events.RunStarted():
                self._started = happening.time
                self._line(happening.time, f"{happening.verb} {happening.deployment}, run {happening.run}")
            case events.Progressed() if happening.text != self._progress:
                self._progress = happening.text
                self._line(happening.time, f"  {happening.text}")
            case events.PhaseStarted():
                self._line(happening.time, f"{happening.phase} ...")
            case events.PhaseFinished():
                mark = "failed" if happening.failed else "done"
                self._line(
                    happening.time, f"{happening.phase} {mark}: {happening.summary}".removesuffix(": ")
                )
            case events.TaskFinished() if happening.outcome in _SHOWN:
                self._task(happening)
            case events.TaskRetried():
                self._line(happening.time, f"  retry {happening.attempt}  {_task_name(happening)}")
            case events.Note():
                self._line(happening.time, f"  note: {happening.text}")
            case ReleaseRecord():
                self._plain(f"  {happening.application} {happening.version} from {happening.origin}")
            case Check() if happening.verdict is not Verdict.PASS:
                self._plain(f"  {happening.verdict}  {happening.id}  {happening.target}: {happening.title}")
                for line in happening.actual.splitlines():
                    self._plain(f"      {line}")
        self._stream.flush()

    def close(self) -> None:
        """End; a plain log has nothing to tidy."""

    def _task(self, task: events.TaskFinished) -> None:
        self._line(task.time, f"  {task.outcome}  {_task_name(task)}  ({task.seconds:.1f} s)")
        if task.outcome in (Outcome.FAILED, Outcome.UNREACHABLE):
            for line in [*task.message.splitlines(), *last_lines(task.output).splitlines()]:
                self._plain(f"      {line}")

    def _line(self, time: float, text: str) -> None:
        self._stream.write(f"{max(0.0, time - self._started):7.1f}s {text}\n")

    def _plain(self, text: str) -> None:
        self._stream.write(f"         {text}\n")


def _task_name(task: events.TaskFinished | events.TaskRetried) -> str:
    return f"{task.host}  {task.role} | {task.task}" if task.role else f"{task.host}  {task.task}"
