"""A report as one HTML page that needs nothing else: no script, no font, no image, no network."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from provisioner.checks.result import Verdict
from provisioner.reporting.report import RunReport
from provisioner.reporting.summary import not_evidence, title

_WORST_FIRST = (Verdict.FAIL, Verdict.NOT_ASSESSED, Verdict.WARN, Verdict.PASS)


def render(report: RunReport) -> str:
    """Return the report as one HTML document."""
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return templates.get_template("report.html.j2").render(
        report=report,
        title=title(report),
        warning=not_evidence(report),
        verdicts=report.verdicts(),
        checks=sorted(report.checks, key=lambda check: _WORST_FIRST.index(check.verdict)),
    )
