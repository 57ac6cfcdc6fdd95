"""One run of a verb: its lock and directory, what it tells and to whom, and the report that it leaves."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from provisioner import __version__
from provisioner.deployment import hints
from provisioner.engine import events
from provisioner.engine.content import Content, locate
from provisioner.engine.events import Event
from provisioner.engine.redaction import Redactor
from provisioner.engine.workspace import Run, Workspace, is_full, unwritable
from provisioner.errors import HostFailed, HostUnreachable, Interrupted, ProvisionerError
from provisioner.paths import write_private
from provisioner.profile import ProfileReading
from provisioner.releases import Progress
from provisioner.reporting import writers
from provisioner.reporting.forecast import Durations, Forecaster
from provisioner.reporting.jsonl import JsonLinesRenderer
from provisioner.reporting.report import Happening, Recorder, RunReport

#: Who is told what happens, as it happens.
Observer = Callable[[Happening], None]

_AFTER_INTERRUPTION = {
    "converge": "the host may be half configured; run apply again",
    "remove": "some of it is still there; run destroy again",
    "verify": "the hosts were not changed by that; run verify again",
}


class Session:
    """The frame around one run; use it as a context.

    Expected errors and interruptions inside the context end up in the report and nowhere else, so that every
    run that began leaves one; unexpected ones are raised again after the report was written.
    """

    report: RunReport

    def __init__(self, reading: ProfileReading, verb: str, observe: Observer) -> None:
        """Take a valid profile, the verb to run, and who is told."""
        self.profile = reading.profile
        self.folder = reading.folder
        self.verb = verb
        self.content: Content = locate()
        self.workspace = Workspace(reading.folder)
        self.recorder = Recorder()
        self._observe = observe
        self._redactor = Redactor(())
        self._phase = ""
        self._stack = contextlib.ExitStack()
        self._log: JsonLinesRenderer | None = None
        self._forecaster = Forecaster(self._read_durations())

    def __enter__(self) -> Self:
        """Take the lock and make the run directory.

        Raises:
            Busy: Another run holds the lock.
            Unavailable: The state directory cannot be written, or the installation is incomplete.
        """
        self.started = time.time()
        self.run: Run = self._stack.enter_context(self.workspace.begin(self.verb))
        try:
            self._open_log()
            self.tell(
                events.RunStarted(
                    time=self.started,
                    deployment=self.workspace.name,
                    verb=self.verb,
                    run=self.run.id,
                    directory=str(self.run.directory),
                )
            )
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Write the report, release the lock; swallow the error if the report now tells it."""
        try:
            self.report = self._make_report(self._explain(error))
            self._write_report()
        finally:
            self._stack.close()
        return isinstance(error, ProvisionerError | KeyboardInterrupt) or is_full(error)

    def hide(self, secrets: Iterable[str]) -> None:
        """Mask these values from now on, wherever they turn up."""
        self._redactor = Redactor(secrets)

    def tell(self, happening: Happening) -> None:
        """Tell the recorder, the log and the observer that something happened, secrets masked."""
        masked = self._redactor.record(happening)
        self.recorder.add(masked)
        self._observe(masked)
        if self._log:
            try:
                self._log.add(masked)
            except OSError as error:
                self._log = None
                self.note(f"the run's log ends here: {error.strerror}")
        if isinstance(masked, Event):
            self._forecast(masked)

    def progress(self, step: Progress) -> None:
        """Tell how far obtaining a release is; to whoever watches only, it is nothing to keep."""
        self._observe(
            events.Progressed(
                time=time.time(), text=step.text, done=step.done, total=step.total, unit=step.unit
            )
        )

    def note(self, text: str) -> None:
        """Tell something the reader should know."""
        self.tell(events.Note(time=time.time(), text=text, source="sovstack"))

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[Callable[[str], None]]:
        """Be in a phase; the context's value takes the line that sums it up."""
        self._phase = name
        said: list[str] = []
        self.tell(events.PhaseStarted(time=time.time(), phase=name))
        try:
            yield said.append
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            summary = "interrupted" if interrupted else said[-1] if said else ""
            self.tell(events.PhaseFinished(time=time.time(), phase=name, summary=summary, failed=True))
            raise
        self.tell(events.PhaseFinished(time=time.time(), phase=name, summary=said[-1] if said else ""))

    def _open_log(self) -> None:
        path = self.run.directory / "events.jsonl"
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        except OSError as error:
            raise unwritable(error, path) from error
        log = os.fdopen(handle, "w", encoding="utf-8")
        self._stack.callback(_close, log)
        self._log = JsonLinesRenderer(log)

    def _forecast(self, event: Event) -> None:
        self._forecaster.add(event)
        if isinstance(event, events.PhaseStarted | events.TaskStarted):
            remaining = self._forecaster.remaining(event.time)
            if remaining is not None:
                self._observe(events.Forecast(time=event.time, remaining=remaining))

    def _read_durations(self) -> Durations:
        try:
            known = json.loads(self._durations_file.read_text(encoding="utf-8"))
            return {str(step): {str(k): float(v) for k, v in known[step].items()} for step in known}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}  # never learned, or not by this version: the forecast begins anew

    @property
    def _durations_file(self) -> Path:
        return self.workspace.directory / f"durations-{self.verb}.json"

    def _explain(self, error: BaseException | None) -> ProvisionerError | None:
        if error is None:
            return None
        if isinstance(error, KeyboardInterrupt):
            return Interrupted(
                f"interrupted while in phase {self._phase or 'start'}",
                hint=_AFTER_INTERRUPTION.get(self._phase, "nothing was changed on the hosts"),
            )
        if isinstance(error, OSError) and is_full(error):
            return unwritable(error, self.run.directory)
        if isinstance(error, HostFailed | HostUnreachable) and not error.hint:
            error.hint = hints.find(self.recorder.failures)
        if isinstance(error, ProvisionerError):
            return error
        return ProvisionerError(f"internal error: {type(error).__name__}")

    def _make_report(self, error: ProvisionerError | None) -> RunReport:
        report = self.recorder.report(
            deployment=self.workspace.name,
            organisation=self.profile.organisation.name,
            run=self.run.id,
            verb=self.verb,
            directory=str(self.run.directory),
            started=self.started,
            ended=time.time(),
            hosts={name: host.address for name, host in self.profile.hosts.items()},
            versions=versions(),
            digests={"content": self.content.digest()},
            error=error,
        )
        return self._redactor.record(report)

    def _write_report(self) -> None:
        try:
            writers.write_all(self.report, self.run.directory)
            write_private(
                self._durations_file, json.dumps(self._forecaster.learned(finished=not self.report.error))
            )
        except OSError as error:
            self.note(f"the report could not be written to {self.run.directory}: {error.strerror}")


def _close(log: TextIO) -> None:
    # What a full disk did not take before, it does not take now; that has been told.
    with contextlib.suppress(OSError):
        log.close()


def versions() -> dict[str, str]:
    """Return the versions of what runs here, by name."""
    names = ("ansible-core", "ansible-runner", "mitogen")
    installed = {name: importlib.metadata.version(name) for name in names}
    return {"sovstack": __version__, "python": platform.python_version(), **installed}
