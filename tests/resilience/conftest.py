"""How many interruptions and outages, which, and of what."""

from __future__ import annotations

import random

import pytest

# Hosts of inventories/split.
_MACHINES = ("data", "apps", "media")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("resilience")
    group.addoption("--interruptions", type=int, default=10, help="how many times apply is interrupted")
    group.addoption(
        "--outages",
        type=int,
        default=len(_MACHINES),
        help="how many machines have processes killed and restart",
    )
    group.addoption(
        "--seed", type=int, default=34, help="chooses the moments, the kinds, the machines and the order"
    )
    group.addoption(
        "--archive",
        default="double",
        choices=["auto", "double", "real"],
        help="which Nextcloud and Mattermost; auto: the real ones when the cache has them",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "interruption" in metafunc.fixturenames:
        metafunc.parametrize("interruption", range(metafunc.config.getoption("interruptions")))
    if "machine_name" in metafunc.fixturenames:
        chance = random.Random(metafunc.config.getoption("seed"))  # noqa: S311  repeatable
        metafunc.parametrize("machine_name", chance.sample(_MACHINES, metafunc.config.getoption("outages")))
