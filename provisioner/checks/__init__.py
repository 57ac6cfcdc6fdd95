"""Checks: the result model, tests on the host through pytest, probes from outside."""

from provisioner.checks.stream import Merged, concurrently

__all__ = ["Merged", "concurrently"]
