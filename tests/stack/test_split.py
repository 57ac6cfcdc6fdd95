"""The suite on three machines: applied, used, restarted. Whom each machine contacts is recorded all the while.

The tests build on each other; each needs the ones before it. What becomes of killed processes and power cuts here,
tests/resilience tries, with doubles.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from stack import egress
from stack.deployment import Deployment, deploying
from stack.health import require_health, sites_of
from stack.use import require_use

pytestmark = [pytest.mark.root, pytest.mark.slow]


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    """Three bare lab machines and inventories/split for them. ``SOVSTACK_TEST_ARCHIVE`` as for one machine."""
    with deploying("three", os.environ.get("SOVSTACK_TEST_ARCHIVE", "auto"), profile="split") as made:
        yield made


def test_apply_deploys_and_verifies(deployment: Deployment) -> None:
    outcome = deployment.run("apply")
    assert outcome.exit_code == 0, outcome.log[-4000:]
    assert outcome.bad_checks() == []
    seen = {(check["id"], check["target"]) for check in outcome.report["checks"]}
    everywhere = ("HOST-SOCKETS", "HOST-UNITS", "HOST-JOURNAL")
    assert {(name, host) for name in everywhere for host in deployment.machines} <= seen
    between = {("PG-NETWORK", "data"), ("REDIS-NETWORK", "data"), ("NC-DATABASE-TLS", "apps")}
    assert between | {("NC-CACHE-TLS", "apps"), ("MM-DATABASE-TLS", "apps")} <= seen


def test_second_apply_changes_nothing(deployment: Deployment) -> None:
    outcome = deployment.run("apply")
    assert outcome.exit_code == 0, outcome.log[-4000:]
    assert outcome.changes == []


def test_plan_of_converged_hosts_is_empty(deployment: Deployment) -> None:
    outcome = deployment.run("plan", "--detailed-exitcode")
    assert outcome.exit_code == 0, outcome.log[-4000:]
    assert outcome.changes == []


def test_use_contacts_nobody_from_any_machine(deployment: Deployment) -> None:
    """Nor did the applies and verifications before it: the record begins with the machines' first minute."""
    apps = deployment.machines["apps"]
    apps.run("systemctl start nextcloud-cron.service")
    apps.run("nextcloud-occ setupchecks --output=json || true")
    require_use(deployment.run("verify", "--level", "use"))
    _require_no_strangers(deployment)


@pytest.mark.parametrize("name", ["data", "media"])
def test_a_machine_comes_back_from_a_reboot(name: str, deployment: Deployment) -> None:
    """And the others with it: nobody does anything about it."""
    deployment.machines[name].reboot()
    require_health(deployment, sites_of(deployment))
    _require_no_strangers(deployment)


def _require_no_strangers(deployment: Deployment) -> None:
    found = {name: egress.strangers(machine) for name, machine in deployment.machines.items()}
    assert not any(found.values()), found
