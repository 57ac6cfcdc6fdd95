"""A host's memory is promised once, grows with the host, and a host that is too small is told what would do."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner import sizing

ROLES = tuple(name for name in sizing.needs(1) if name != "system")
DOCUMENT = Path(__file__).parents[2] / "docs" / "operations" / "sizes.md"

users = st.integers(1, 5000)
memories = st.integers(512, 65536)
carried = st.sets(st.sampled_from(ROLES))


@given(carried, users, memories)
def test_a_host_that_fits_is_divided_to_the_last_megabyte(roles: set[str], users: int, memory: int) -> None:
    budget = sizing.divide("main", roles, users=users, memory=memory)
    if budget.fits:
        assert sum(part.megabytes for part in budget.allotments) == memory
    for part in budget.allotments:
        assert part.megabytes >= part.least


@given(carried, users)
def test_the_number_that_would_do_does(roles: set[str], users: int) -> None:
    enough = sizing.divide("main", roles, users=users, memory=None).enough
    assert sizing.divide("main", roles, users=users, memory=sizing.visible(enough)).fits
    assert not sizing.divide("main", roles, users=users, memory=sizing.visible(enough - 512)).fits


@given(carried, users, memories, st.integers(0, 8192))
def test_more_memory_takes_nothing_from_a_service(
    roles: set[str], users: int, memory: int, more: int
) -> None:
    small, big = (sizing.divide("main", roles, users=users, memory=size) for size in (memory, memory + more))
    for role in roles:
        assert big.of(role) >= small.of(role)


@given(users, memories)
def test_what_roles_are_told_fits_into_their_budgets(users: int, memory: int) -> None:
    budget = sizing.divide("main", ROLES, users=users, memory=memory)
    told = sizing.variables(budget, connections=100)
    assert set(told) == {
        "postgresql_memory_megabytes",
        "postgresql_max_connections",
        "redis_memory_megabytes",
        "php_fpm_memory_megabytes",
        "mattermost_memory_megabytes",
        "mattermost_database_connections",
        "prosody_memory_megabytes",
        "coturn_memory_megabytes",
        "jicofo_memory_megabytes",
        "jitsi_videobridge_memory_megabytes",
    }
    for role in (
        "postgresql",
        "redis",
        "php_fpm",
        "mattermost",
        "prosody",
        "coturn",
        "jicofo",
        "jitsi_videobridge",
    ):
        assert 0 < told[f"{role}_memory_megabytes"] <= budget.of(role)


def test_a_relay_has_ten_allocations_for_each_participant_and_no_more_than_ports() -> None:
    # The role makes ten allocations of each megabyte beyond 16.
    for users in (1, 180, 5000):
        assert (sizing.needs(users)["coturn"].least - 16) * 10 >= 10 * math.ceil(users / 10)
    assert 1600 < sizing.needs(100_000)["coturn"].most < 1700


def test_database_takes_the_connections_of_all_hosts() -> None:
    budgets = {
        host: sizing.divide(host, roles, users=180, memory=7900)
        for host, roles in {
            "data": {"postgresql", "redis"},
            "apps": {"php_fpm", "nginx", "mattermost"},
        }.items()
    }
    wanted = sizing.connections(budgets, 180)
    assert wanted == (budgets["apps"].of("php_fpm") - 256) // 100 + 50
    assert sizing.variables(budgets["data"], connections=wanted)["postgresql_max_connections"] > wanted
    assert "postgresql_max_connections" not in sizing.variables(budgets["apps"], connections=wanted)


def test_an_unknown_memory_decides_nothing() -> None:
    budget = sizing.divide("main", ROLES, users=180, memory=None)
    assert budget.fits
    assert sizing.variables(budget, connections=50) == {}


def test_a_small_update_of_the_kernel_changes_no_service() -> None:
    before, after = (
        sizing.variables(sizing.divide("main", ROLES, users=180, memory=size), connections=50)
        for size in (7908, 7907)
    )
    assert before == after


@pytest.mark.parametrize("role", ["system", *ROLES])
def test_documentation_has_the_need_of_every_service(role: str) -> None:
    need = sizing.needs(180)[role]
    row = f"| {role} | {need.least} | {need.most} | {need.share} | {need.why} | {need.source} |"
    assert row in DOCUMENT.read_text().splitlines()
