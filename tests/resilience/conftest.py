"""How many interruptions, which, and of what."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("resilience")
    group.addoption("--interruptions", type=int, default=10, help="how many times apply is interrupted")
    group.addoption("--seed", type=int, default=34, help="chooses the moments and the kinds of interruption")
    group.addoption("--archive", default="double", choices=["auto", "double", "real"], help="which Nextcloud")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "interruption" in metafunc.fixturenames:
        metafunc.parametrize("interruption", range(metafunc.config.getoption("interruptions")))
