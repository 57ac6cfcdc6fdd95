"""A report as text for a terminal: what was done, what was found, what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.checks.result import Verdict
from provisioner.reporting.report import RunReport

_SHOWN_DIFF_LINES = 60


def summarize(report: RunReport, *, diffs: bool = False) -> str:
    """Return the summary of a report, with the differences of every change if ``diffs``."""
    return "\n".join(_lines(report, diffs))


def title(report: RunReport) -> str:
    """Return one line that names a run and says how it ended."""
    return f"{report.verb} {report.deployment}: {outcome(report)} in {report.seconds:.1f} s"


def outcome(report: RunReport) -> str:
    """Return how a run ended, in a few words."""
    if report.error:
        return {130: "interrupted", 6: "verification failed"}.get(report.error.exit_code, "failed")
    if report.verb == "plan":
        return f"{report.changed} changes pending" if report.changed else "no changes"
    return f"done, {report.changed} changed" if report.tasks else "done"


def not_evidence(report: RunReport) -> str | None:
    """Return the sentence a report with a test double in it must begin with."""
    if not report.doubles:
        return None
    return (
        f"NOT EVIDENCE about {', '.join(report.doubles)}: a test double stood in for the real application, "
        "so nothing here says anything about it."
    )


def _lines(report: RunReport, diffs: bool) -> Iterator[str]:
    if warning := not_evidence(report):
        yield warning
        yield ""
    yield title(report)
    for release in report.releases:
        digest = f", sha256 {release.sha256[:16]}..." if release.sha256 else ""
        yield f"  {release.application} {release.version} from {release.origin}{digest}"
        if release.trust:
            yield f"    trusted by {release.trust}"
    if report.verb == "plan" or not all(budget.fits for budget in report.budgets):
        yield from _budgets(report)
    if report.roles:
        yield ""
        yield from _roles(report)
    if diffs and report.changes:
        yield ""
        for change in report.changes:
            yield f"  {change.host}  {change.role} | {change.task}"
            shown = change.diff.splitlines()
            yield from (f"      {line}" for line in shown[:_SHOWN_DIFF_LINES])
            if len(shown) > _SHOWN_DIFF_LINES:
                yield f"      ... {len(shown) - _SHOWN_DIFF_LINES} more lines in the report"
    if report.checks:
        yield ""
        counts = report.verdicts()
        yield "  checks: " + ", ".join(
            f"{count} {verdict.value}" for verdict, count in counts.items() if count
        )
        for check in report.checks:
            if check.verdict is not Verdict.PASS:
                yield f"  {check.verdict.value:<13} {check.id}  {check.target}: {check.title}"
                if check.actual:
                    yield "      seen: " + check.actual.replace("\n", "\n        ")
                if check.remedy:
                    yield f"      remedy: {check.remedy}"


def _budgets(report: RunReport) -> Iterator[str]:
    for budget in report.budgets:
        yield ""
        yield f"  {budget.host}: {budget.memory} MB of memory; {budget.enough} MB would do"
        for part in budget.allotments:
            yield f"    {part.service:<18}{part.megabytes:>7} MB  {part.why}"


def _roles(report: RunReport) -> Iterator[str]:
    rows: list[tuple[str, ...]] = [("HOST", "ROLE", "OK", "CHANGED", "FAILED", "SKIPPED", "SECONDS")]
    for role in report.roles:
        counts = map(str, (role.ok, role.changed, role.failed, role.skipped))
        rows.append((role.host, role.role, *counts, f"{role.seconds:.1f}"))
    host_width, role_width = (max(len(row[column]) for row in rows) for column in (0, 1))
    for host, name, *figures in rows:
        yield f"  {host:<{host_width}}  {name:<{role_width}}" + "".join(f"{figure:>9}" for figure in figures)
