"""A process is killed, a machine restarts, the power fails: what is deployed becomes healthy again by itself.

One deployment on three machines (database and key-value store; files, chat, portal; meetings), with a second
videobridge away from its Prosody, is applied once. On each machine every service's main process is killed, and
another of its processes where it has any: one at a time, in an order that the seed chooses, and after each all services
answer again. Each machine restarts from inside. At last all lose their power at once, and the database comes back last.
Nobody does anything but wait; at the end of each test `verify` passes.

CI takes one machine, which the seed chooses, and the power cut: four minutes, of which the first apply is half. All:

    pytest tests/resilience/test_outage.py --seed 7
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from enum import Enum
from functools import partial

import pytest
import yaml
from stack.deployment import Deployment, deploying
from stack.health import Site, complaints_of, require_health, sites_of, wait_until_well
from stack.machine import Machine, Processes

pytestmark = [pytest.mark.root, pytest.mark.slow]

BRIDGES = ["media", "apps"]
LATE_SECONDS = 15  # later than the others the database's machine comes; more than systemd's own patience


class Kind(Enum):
    """Which process of a service is killed."""

    MAIN = "its main process"
    OTHER = "another process"


@pytest.fixture(scope="module")
def deployment(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    with deploying("outage", request.config.getoption("archive"), profile="split") as made:
        path = made.folder / "profile.yml"
        profile = yaml.safe_load(path.read_text())
        profile["services"]["meet"]["videobridges"] = BRIDGES
        path.write_text(yaml.safe_dump(profile, sort_keys=False))
        outcome = made.run("apply")
        assert outcome.exit_code == 0, outcome.log[-4000:]
        yield made


@pytest.fixture(scope="module")
def sites(deployment: Deployment) -> list[Site]:
    return sites_of(deployment)


def test_a_killed_process_comes_back(
    machine_name: str, deployment: Deployment, sites: list[Site], request: pytest.FixtureRequest
) -> None:
    machine = deployment.machines[machine_name]
    chance = random.Random(f"{request.config.getoption('seed')}/{machine_name}")  # noqa: S311  repeatable
    before = machine.processes()
    assert before
    kills = [(unit, kind) for unit in before for kind in Kind]
    chance.shuffle(kills)
    for unit, kind in kills:
        victim = _choose(chance, machine.processes()[unit], kind)
        if victim:
            killed = time.monotonic()
            machine.run(f"kill -9 {victim} || true")  # another process may have ended by itself
            wait_until_well(partial(_complaints_after_kill, machine, list(before), victim, sites))
            print(
                f"\n{machine_name}: {unit}, {kind.value}: well after {time.monotonic() - killed:.1f} s",
                flush=True,
            )
    require_health(deployment, sites)


def test_a_machine_comes_back_from_a_reboot(
    machine_name: str, deployment: Deployment, sites: list[Site]
) -> None:
    deployment.machines[machine_name].reboot()
    require_health(deployment, sites)


def test_all_machines_come_back_from_a_power_cut(deployment: Deployment, sites: list[Site]) -> None:
    """What needs the database starts before it is there."""
    for machine in deployment.machines.values():
        deployment.cut_power(machine)
    deployment.switch_on(deployment.machines["media"])
    deployment.switch_on(deployment.machines["apps"])
    # As its timer may at any moment.
    deployment.machines["apps"].run("systemctl start nextcloud-cron.service || true")
    time.sleep(LATE_SECONDS)
    deployment.switch_on(deployment.machines["data"])
    for machine in deployment.machines.values():
        machine.wait_until_up()
    require_health(deployment, sites)


def _choose(chance: random.Random, processes: Processes, kind: Kind) -> int | None:
    """Return the process to kill, or None where the unit has no such one."""
    if kind is Kind.MAIN:
        return processes.main
    return chance.choice(processes.others) if processes.others else None


def _complaints_after_kill(machine: Machine, units: list[str], victim: int, sites: list[Site]) -> list[str]:
    """Return which units have no main process or still the killed one, and what services answer."""
    states = machine.run(f"systemctl is-active {' '.join(units)} || true").split()
    found = [f"{unit} is {state}" for unit, state in zip(units, states, strict=True) if state != "active"]
    if not found:
        running = machine.processes()
        found = [f"{unit} is down" for unit in units if unit not in running or running[unit].main == victim]
    return found + complaints_of(sites)
