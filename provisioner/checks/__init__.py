"""Checks: the result model, tests on the host through pytest, probes from outside."""

from provisioner.checks.stream import concurrently

__all__ = ["concurrently"]
