"""Pictures of what people see, kept beside the run's report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from provisioner.checks.browser import Tab
from provisioner.paths import write_private

FOLDER = "screenshots"


@dataclass(frozen=True, slots=True)
class Album:
    """The pictures of a run; ``directory`` is the run's."""

    directory: Path

    def keep(self, name: str, tab: Tab) -> str:
        """Picture what a tab shows now; return the file's path in the run's directory.

        Raises:
            BrowserFailed: The tab cannot be pictured.
        """
        path = f"{FOLDER}/{name}.jpg"
        write_private(self.directory / path, tab.picture())
        return path
