"""What holds for every test: a test that needs root says so instead of failing."""

from __future__ import annotations

import os

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, visibly, what needs root when there is none."""
    if item.get_closest_marker("root") and os.geteuid() != 0:
        pytest.skip("needs root: sudo script/test")
