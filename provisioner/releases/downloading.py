"""Fetching one file from a URL or a path, resuming what an earlier run left.

A download in progress is ``<target>`` itself plus ``<target>.origin``, which remembers what the server said about
the file, so that a changed file is not glued to the beginning of its predecessor.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from provisioner.releases.progress import Progress, Report


class NotThere(Exception):
    """A source does not have the file, or does not answer; the text says which."""


def fetch(address: str, target: Path, report: Report) -> None:
    """Fetch ``address``, a URL or an absolute path, into ``target``.

    Raises:
        NotThere: There is no such file, or the server does not answer.
    """
    report(Progress(f"copying {address}"))
    try:
        shutil.copyfile(address, target)
    except FileNotFoundError as error:
        raise NotThere(f"{address}: no such file") from error
