"""Write a report beside its run, in every form it is read in, and read it back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from provisioner.errors import UsageError
from provisioner.paths import write_private
from provisioner.reporting import html, junit, markdown
from provisioner.reporting.report import RunReport, from_dict


def render_json(report: RunReport) -> str:
    """Return the report as a JSON document."""
    return json.dumps(report.to_dict(), indent=2, ensure_ascii=False) + "\n"


#: Form -> (file name, how it is made).
FORMS: Mapping[str, tuple[str, Callable[[RunReport], str]]] = {
    "json": ("report.json", render_json),
    "html": ("report.html", html.render),
    "md": ("report.md", markdown.render),
    "junit": ("junit.xml", junit.render),
}


def write_all(report: RunReport, directory: Path) -> None:
    """Write the report to a run directory, in every form.

    Raises:
        OSError: It cannot be written.
    """
    for name, render in FORMS.values():
        write_private(directory / name, render(report))


def read(directory: Path) -> RunReport:
    """Return the report of a run.

    Raises:
        UsageError: The run left none, or one that this version cannot read.
    """
    try:
        return from_dict(json.loads((directory / "report.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UsageError(
            f"run {directory.name} left no report", hint="it still runs, or its process was killed"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"the report of run {directory.name} cannot be read", details=str(error)) from error
