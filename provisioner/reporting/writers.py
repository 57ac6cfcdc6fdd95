"""Write a report beside its run, in every form it is read in."""

from __future__ import annotations

import json
from pathlib import Path

from provisioner.engine.workspace import write_private
from provisioner.reporting.report import RunReport


def write_all(report: RunReport, directory: Path) -> None:
    """Write ``report.json`` to a run directory.

    Raises:
        OSError: It cannot be written.
    """
    write_private(
        directory / "report.json", json.dumps(report.to_dict(), indent=2, ensure_ascii=False) + "\n"
    )
