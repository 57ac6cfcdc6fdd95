"""A report as one HTML page that needs nothing else: no script, no font, no network; pictures are inside it."""

from __future__ import annotations

import base64
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from provisioner.reporting.report import RunReport
from provisioner.reporting.summary import not_evidence, title


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
        pictures=_pictures(report),
        checks=report.checks_to_read(),
    )


def _pictures(report: RunReport) -> dict[str, str]:
    """Return the pictures of the run that are still there, as data addresses, by their paths in its directory."""
    found = {}
    for name in (name for check in report.checks for name in check.screenshots):
        path = Path(report.directory, name)
        if path.is_file():
            found[name] = f"data:image/jpeg;base64,{base64.b64encode(path.read_bytes()).decode()}"
    return found
