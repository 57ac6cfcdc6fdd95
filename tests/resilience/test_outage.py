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
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial

import pytest
import yaml
from stack import egress
from stack.deployment import Deployment, deploying
from stack.machine import Machine, Processes

from provisioner.checks.outside import WebTarget
from provisioner.checks.outside.http import fetch
from provisioner.checks.outside.promise import NoEvidence

pytestmark = [pytest.mark.root, pytest.mark.slow]

BRIDGES = ["media", "apps"]
LATE_SECONDS = 15  # later than the others the database's machine comes; more than systemd's own patience
HEALTHY_SECONDS = 60  # from a killed process, or a started machine, to health
# A path of each service whose answer takes the whole way, down to database and key-value store, and a pattern of it.
PATHS = {
    "files": ("/login", b"<html"),
    "chat": ("/api/v4/system/ping?get_server_status=true", b'"database_status": ?"OK"'),
    "meet": ("/http-bind", b"<html"),
    "portal": ("/nl/", b"<html"),
}


class Kind(Enum):
    """Which process of a service is killed."""

    MAIN = "its main process"
    OTHER = "another process"


@dataclass(frozen=True)
class Site:
    """A service as its users meet it, and a pattern of what it answers when it is well."""

    web: WebTarget
    path: str
    words: bytes

    def complaint(self) -> str:
        """Return what is wrong, or nothing."""
        try:
            answer = fetch(self.web, self.path)
        except NoEvidence as error:
            return str(error)
        well = answer.status == 200 and re.search(self.words, answer.body)
        return "" if well else f"{self.web.hostname}{self.path}: {answer.status} {answer.body[:200]!r}"


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
    profile = yaml.safe_load((deployment.folder / "profile.yml").read_text())
    authority = deployment.root / "authority.pem"
    certificate = "/usr/local/share/ca-certificates/sovstack-internal.crt"
    authority.write_text(deployment.machines["apps"].run(f"cat {certificate}"))
    services = profile["services"] | {
        "portal": profile["portal"] | {"hostname": profile["organisation"]["domain"]}
    }
    return [
        Site(
            WebTarget(
                services[name]["hostname"], deployment.machines[services[name]["host"]].address, authority
            ),
            path,
            words,
        )
        for name, (path, words) in PATHS.items()
    ]


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
            _wait_until_well(partial(_complaints_after_kill, machine, list(before), victim, sites))
            print(
                f"\n{machine_name}: {unit}, {kind.value}: well after {time.monotonic() - killed:.1f} s",
                flush=True,
            )
    _require_health(deployment, sites)


def test_a_machine_comes_back_from_a_reboot(
    machine_name: str, deployment: Deployment, sites: list[Site]
) -> None:
    deployment.machines[machine_name].reboot()
    _require_health(deployment, sites)


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
    _require_health(deployment, sites)


def test_use_contacts_nobody_from_any_machine(deployment: Deployment, sites: list[Site]) -> None:
    """Nor has anything else since the power came back."""
    _wait_until_well(partial(_site_complaints, sites))
    outcome = deployment.run("verify", "--level", "use")
    verdicts = {check["id"]: check["verdict"] for check in outcome.report["checks"]}
    assert {"USE-FILES-SHARE", "USE-CHAT-POST", "USE-MEET-UDP"} <= set(verdicts), outcome.log[-4000:]
    found = {name: egress.strangers(machine) for name, machine in deployment.machines.items()}
    assert not any(found.values()), found


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
    return found + _site_complaints(sites)


def _site_complaints(sites: list[Site]) -> list[str]:
    return [complaint for site in sites if (complaint := site.complaint())]


def _require_health(deployment: Deployment, sites: list[Site]) -> None:
    _wait_until_well(partial(_site_complaints, sites))
    outcome = deployment.run("verify")
    assert outcome.exit_code == 0, "\n".join([*outcome.bad_checks(), outcome.log[-4000:]])


def _wait_until_well(complaints: Callable[[], list[str]]) -> None:
    deadline = time.monotonic() + HEALTHY_SECONDS
    while found := complaints():
        assert time.monotonic() < deadline, f"not healthy after {HEALTHY_SECONDS} s: " + "; ".join(found)
        time.sleep(0.5)
