"""The report of one run, folded from what happened. Pure: no file, no clock.

``FORMAT_VERSION`` counts up when a reader of ``report.json`` would have to change; new keys do not count.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from provisioner.checks.result import Check, Verdict
from provisioner.engine import events
from provisioner.engine.events import Event, Outcome
from provisioner.errors import ExitCode, ProvisionerError
from provisioner.sizing import Allotment, Budget

FORMAT_VERSION = 1
_WORST_FIRST = (Verdict.FAIL, Verdict.NOT_ASSESSED, Verdict.WARN, Verdict.PASS)
#: So many last lines of a failed task are kept and shown.
OUTPUT_LINES = 20
#: The role of a task that belongs to no role.
NO_ROLE = "-"


@dataclass(frozen=True, slots=True)
class Gate:
    """One test of an archive before it was installed, and what it found."""

    name: str
    verdict: str
    summary: str


#: Origins of a release beside those of the release cache: a contract double, and what this computer cannot know.
DOUBLE, UNKNOWN = "double", "unknown"


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """What was installed for an application, where it came from and why it was believed."""

    application: str
    version: str
    origin: str
    sha256: str
    gates: tuple[Gate, ...] = ()
    trust: str = ""

    @property
    def double(self) -> bool:
        """Tell whether a test double stood in for the application."""
        return self.origin == DOUBLE


#: Everything a recorder or renderer is told.
Happening = Event | Check | ReleaseRecord | Budget


@dataclass(frozen=True, slots=True)
class Phase:
    """One step of the pipeline: its wall time and, in a line, its result."""

    name: str
    seconds: float
    summary: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class RoleResult:
    """How many tasks of a role ended how on a host, and the seconds they took there together."""

    host: str
    role: str
    ok: int = 0
    changed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Change:
    """A task that changed something (in a plan: would change it), with the difference where it can tell."""

    host: str
    role: str
    task: str
    seconds: float
    diff: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A task that failed on a host, or a host that was lost at it."""

    host: str
    role: str
    task: str
    message: str
    output: str = ""
    place: str = ""
    unreachable: bool = False


@dataclass(frozen=True, slots=True)
class ReportedError:
    """Why the run did not end as it should, in the words that the command printed."""

    kind: str
    message: str
    details: str | None
    hint: str | None
    exit_code: int

    @classmethod
    def of(cls, error: ProvisionerError) -> ReportedError:
        """Return an error as it is reported."""
        return cls(type(error).__name__, error.message, error.details, error.hint, int(error.exit_code))


@dataclass(frozen=True, slots=True)
class RunReport:
    """Everything about one run that is worth keeping. Times are seconds; ``started`` is UTC, ISO 8601."""

    deployment: str
    organisation: str
    run: str
    verb: str
    directory: str
    started: str
    seconds: float
    exit_code: int
    hosts: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    phases: tuple[Phase, ...] = ()
    roles: tuple[RoleResult, ...] = ()
    changes: tuple[Change, ...] = ()
    failures: tuple[Failure, ...] = ()
    checks: tuple[Check, ...] = ()
    releases: tuple[ReleaseRecord, ...] = ()
    budgets: tuple[Budget, ...] = ()
    notes: tuple[str, ...] = ()
    error: ReportedError | None = None

    @property
    def doubles(self) -> tuple[str, ...]:
        """The applications for which a test double stood in: the report is no evidence about them."""
        return tuple(release.application for release in self.releases if release.double)

    @property
    def changed(self) -> int:
        """How many tasks changed something, over all hosts."""
        return len(self.changes)

    @property
    def tasks(self) -> int:
        """How many tasks ran, skipped ones left out, over all hosts."""
        return sum(role.ok + role.changed + role.failed for role in self.roles)

    def verdicts(self) -> dict[Verdict, int]:
        """Return how many checks came to each verdict, all verdicts named."""
        return {verdict: sum(check.verdict is verdict for check in self.checks) for verdict in Verdict}

    def checks_to_read(self) -> list[Check]:
        """Return the checks as people read them: the worst first, and what belongs together side by side."""
        return sorted(
            self.checks, key=lambda check: (_WORST_FIRST.index(check.verdict), check.target, check.id)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-like data."""
        return {
            "format_version": FORMAT_VERSION,
            "evidence_missing_for": list(self.doubles),
            **{
                item.name: _plain(getattr(self, item.name))
                for item in dataclasses.fields(self)
                if item.name not in ("checks", "error")
            },
            "checks": [check.as_json() for check in self.checks],
            "error": _plain(self.error),
        }


def from_dict(data: Mapping[str, Any]) -> RunReport:
    """Return the report that ``to_dict`` gave; keys of later versions are left out.

    Raises:
        ValueError: The data is of a format this version does not know, or no report at all.
    """
    if data.get("format_version") != FORMAT_VERSION:
        raise ValueError(f"a report of format version {data.get('format_version')}, not {FORMAT_VERSION}")
    names = {item.name for item in dataclasses.fields(RunReport)}
    values: dict[str, Any] = {name: value for name, value in data.items() if name in names}
    values["checks"] = tuple(Check.from_json(check) for check in data.get("checks", ()))
    for name, kind in (("phases", Phase), ("roles", RoleResult), ("changes", Change), ("failures", Failure)):
        values[name] = tuple(kind(**item) for item in data.get(name, ()))
    values["releases"] = tuple(
        ReleaseRecord(**(release | {"gates": tuple(Gate(**gate) for gate in release.get("gates", ()))}))
        for release in data.get("releases", ())
    )
    values["budgets"] = tuple(
        Budget(**(budget | {"allotments": tuple(Allotment(**part) for part in budget.get("allotments", ()))}))
        for budget in data.get("budgets", ())
    )
    values["notes"] = tuple(data.get("notes", ()))
    values["error"] = ReportedError(**data["error"]) if data.get("error") else None
    try:
        return RunReport(**values)
    except TypeError as error:
        raise ValueError(f"not a report: {error}") from error


class Recorder:
    """Fold what happens into a report; usable at any moment, also in the middle of an interrupted run."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._phases: dict[str, Phase] = {}
        self._begun: dict[str, float] = {}
        self._roles: dict[tuple[str, str], RoleResult] = {}
        self._diffs: dict[tuple[str, str, str], list[str]] = {}
        self._changes: list[Change] = []
        self._failures: list[Failure] = []
        self._checks: list[Check] = []
        self._releases: list[ReleaseRecord] = []
        self._budgets: list[Budget] = []
        self._notes: dict[str, None] = {}

    def add(self, happening: Happening) -> None:
        """Take one happening into account; kinds that a report does not need are ignored."""
        match happening:
            case Check():
                self._checks.append(happening)
            case ReleaseRecord():
                self._releases.append(happening)
            case Budget():
                self._budgets.append(happening)
            case events.PhaseStarted():
                self._begun[happening.phase] = happening.time
            case events.PhaseFinished(phase=name):
                seconds = happening.time - self._begun.pop(name, happening.time)
                self._phases[name] = Phase(name, round(seconds, 2), happening.summary, happening.failed)
            case events.Note():
                self._notes[happening.text] = None
            case events.FileDiff():
                place = (happening.host, happening.role, happening.task)
                self._diffs.setdefault(place, []).append(happening.diff)
            case events.TaskFinished():
                self._finish(happening)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The tasks that failed until now."""
        return tuple(self._failures)

    @property
    def checks(self) -> tuple[Check, ...]:
        """The checks made until now."""
        return tuple(self._checks)

    @property
    def releases(self) -> tuple[ReleaseRecord, ...]:
        """The releases that were told until now."""
        return tuple(self._releases)

    @property
    def changed(self) -> int:
        """How many tasks changed something until now."""
        return len(self._changes)

    @property
    def tasks(self) -> int:
        """How many tasks ran until now, skipped ones left out."""
        return sum(role.ok + role.changed + role.failed for role in self._roles.values())

    def report(
        self,
        *,
        deployment: str,
        organisation: str,
        run: str,
        verb: str,
        directory: str,
        started: float,
        ended: float,
        hosts: Mapping[str, str],
        versions: Mapping[str, str],
        digests: Mapping[str, str],
        exit_code: int = ExitCode.DONE,
        error: ProvisionerError | None = None,
    ) -> RunReport:
        """Return the report of what happened until now; times are seconds since the epoch."""
        running = [
            Phase(name, round(ended - begun, 2), "interrupted" if error is None else "failed", failed=True)
            for name, begun in self._begun.items()
        ]
        return RunReport(
            deployment=deployment,
            organisation=organisation,
            run=run,
            verb=verb,
            directory=directory,
            started=datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
            seconds=round(ended - started, 2),
            exit_code=int(error.exit_code if error else exit_code),
            hosts=dict(hosts),
            versions=dict(versions),
            digests=dict(digests),
            phases=(*self._phases.values(), *running),
            roles=tuple(
                dataclasses.replace(role, seconds=round(role.seconds, 2)) for role in self._roles.values()
            ),
            changes=tuple(self._changes),
            failures=tuple(self._failures),
            checks=tuple(self._checks),
            releases=tuple(self._releases),
            budgets=tuple(self._budgets),
            notes=tuple(self._notes),
            error=ReportedError.of(error) if error else None,
        )

    def _finish(self, task: events.TaskFinished) -> None:
        role = task.role or NO_ROLE
        seen = self._roles.setdefault((task.host, role), RoleResult(task.host, role))
        failed = task.outcome in (Outcome.FAILED, Outcome.UNREACHABLE)
        self._roles[task.host, role] = dataclasses.replace(
            seen,
            ok=seen.ok + (task.outcome in (Outcome.OK, Outcome.IGNORED)),
            changed=seen.changed + (task.outcome is Outcome.CHANGED),
            failed=seen.failed + failed,
            skipped=seen.skipped + (task.outcome is Outcome.SKIPPED),
            seconds=seen.seconds + task.seconds,
        )
        diff = "\n".join(self._diffs.pop((task.host, task.role, task.task), ()))
        if task.outcome is Outcome.CHANGED:
            self._changes.append(Change(task.host, role, task.task, round(task.seconds, 2), diff))
        elif failed:
            self._failures.append(
                Failure(
                    task.host,
                    role,
                    task.task,
                    task.message,
                    last_lines(task.output),
                    task.place,
                    unreachable=task.outcome is Outcome.UNREACHABLE,
                )
            )


def fold(happenings: Iterable[Happening]) -> Recorder:
    """Return the recorder of a whole sequence."""
    recorder = Recorder()
    for happening in happenings:
        recorder.add(happening)
    return recorder


def last_lines(text: str, count: int = OUTPUT_LINES) -> str:
    """Return the last lines of a text."""
    return "\n".join(text.rstrip().splitlines()[-count:])


def _plain(value: Any) -> Any:  # noqa: ANN401  JSON-like data has no narrower type
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return dict(value) if isinstance(value, Mapping) else value
