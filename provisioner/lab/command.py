"""Run a system program and turn its failure into an error that quotes it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from provisioner.errors import ProvisionerError


def run(arguments: Sequence[str], *, stdin: str | None = None) -> str:
    """Run a program to its end and return its standard output.

    Raises:
        ProvisionerError: The program failed; ``details`` is what it wrote to standard error.
    """
    done = subprocess.run(arguments, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ProvisionerError(
            f"{arguments[0]} failed with exit code {done.returncode}: {' '.join(arguments)}",
            details=done.stderr.strip() or done.stdout.strip() or None,
        )
    return done.stdout


def succeeds(arguments: Sequence[str]) -> bool:
    """Tell whether a program ends with exit code 0; what it prints is dropped."""
    return subprocess.run(arguments, capture_output=True, check=False).returncode == 0
