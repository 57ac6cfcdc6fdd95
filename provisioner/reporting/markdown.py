"""A report as Markdown, for tickets and repositories. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from provisioner.checks.result import Verdict
from provisioner.reporting.report import RunReport
from provisioner.reporting.summary import not_evidence, title


def render(report: RunReport) -> str:
    """Return the report as one Markdown document."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: RunReport) -> Iterator[str]:
    if warning := not_evidence(report):
        yield f"> **{warning}**"
        yield ""
    yield f"# {title(report)}"
    yield ""
    yield f"Run `{report.run}` for {_cell(report.organisation)}, begun {report.started}."
    if report.error:
        yield ""
        yield f"**{_cell(report.error.message)}**"
        if report.error.details:
            yield from _block(report.error.details)
        if report.error.hint:
            yield ""
            yield f"What to do: {_cell(report.error.hint)}"
    yield from _table("Phases", ("phase", "seconds", "result"), _phases(report))
    yield from _table(
        "Releases",
        ("application", "version", "origin", "SHA-256", "gates", "trust"),
        [
            (
                release.application,
                release.version,
                release.origin,
                f"`{release.sha256}`",
                "; ".join(f"{gate.name}: {gate.verdict}" for gate in release.gates),
                release.trust,
            )
            for release in report.releases
        ],
    )
    yield from _table(
        "Memory",
        ("host", "service", "megabytes", "at least", "because"),
        [
            (budget.host, part.service, str(part.megabytes), str(part.least), part.why)
            for budget in report.budgets
            for part in budget.allotments
        ],
    )
    yield from _table(
        "Hosts and roles",
        ("host", "role", "ok", "changed", "failed", "skipped", "seconds"),
        [
            (
                role.host,
                role.role,
                *map(str, (role.ok, role.changed, role.failed, role.skipped)),
                f"{role.seconds:.1f}",
            )
            for role in report.roles
        ],
    )
    yield from _failures(report)
    yield from _changes(report)
    yield from _checks(report)
    if report.notes:
        yield from ("", "## Notes", "", *(f"- {_cell(note)}" for note in report.notes))
    yield from _table("Versions", ("part", "version"), list(report.versions.items()))


def _phases(report: RunReport) -> list[tuple[str, str, str]]:
    return [
        (phase.name, f"{phase.seconds:.1f}", f"{'failed ' if phase.failed else ''}{phase.summary}")
        for phase in report.phases
    ]


def _failures(report: RunReport) -> Iterator[str]:
    if report.failures:
        yield ""
        yield "## Failed tasks"
    for failure in report.failures:
        yield ""
        yield f"### {_cell(failure.host)}: {_cell(failure.role)} | {_cell(failure.task)}"
        yield from _block("\n".join(filter(None, (failure.message, failure.output))))


def _changes(report: RunReport) -> Iterator[str]:
    if report.changes:
        yield ""
        yield "## Pending changes" if report.verb == "plan" else "## Changes"
        yield ""
    for change in report.changes:
        yield f"- {_cell(change.host)}: {_cell(change.role)} | {_cell(change.task)}"
        if change.diff:
            yield from _block(change.diff, "diff", indent="  ")


def _checks(report: RunReport) -> Iterator[str]:
    yield from _table(
        "Checks",
        ("verdict", "id", "target", "promise", "evidence", "seen", "remedy"),
        [
            (
                check.verdict.value,
                check.id,
                check.target,
                check.title,
                check.grade.label,
                check.actual,
                "" if check.verdict is Verdict.PASS else check.remedy,
            )
            for check in report.checks_to_read()
        ],
    )


def _table(heading: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        return
    yield ""
    yield f"## {heading}"
    yield ""
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(map(_cell, row))} |"


def _cell(text: str) -> str:
    """Keep a text on one line and out of Markdown's way."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _block(text: str, language: str = "", indent: str = "") -> Iterator[str]:
    # A fence longer than any in the text: nothing inside can end it.
    fence = "`" * max(3, 1 + max((len(run) for run in _backtick_runs(text)), default=0))
    yield ""
    yield f"{indent}{fence}{language}"
    yield from (f"{indent}{line}" for line in text.splitlines())
    yield f"{indent}{fence}"
    yield ""


def _backtick_runs(text: str) -> list[str]:
    return ["`" * len(part) for part in "".join(c if c == "`" else " " for c in text).split()]
