"""``apply`` is killed at random moments; ``apply`` again must reach what an undisturbed one reaches.

One reference deployment on a fresh machine says what that is, and how long each task takes. Then, for each
interruption, a fresh machine: apply, kill the controller's process or cut the machine's power in the middle of a
random task, apply again, compare. The same seed chooses the same tasks and kinds:

    pytest tests/resilience --interruptions 1 --seed 7
"""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pytest
from stack.deployment import Deployment, deploying, end_group
from stack.state import State, compare, read_state

pytestmark = [pytest.mark.root, pytest.mark.slow]

NOTICE_SECONDS = 180  # in which apply must have noticed that the machine is gone


class Kind(Enum):
    """What is interrupted."""

    CONTROLLER = "the controller's process is killed"
    MACHINE = "the machine's power is cut"


@dataclass(frozen=True)
class Task:
    """A task of a run, the ``number``-th that begins, and how long it takes, in seconds."""

    number: int
    name: str
    seconds: float


@dataclass(frozen=True)
class Reference:
    """The undisturbed deployment: what it led to, and which of its tasks changed something."""

    state: State
    tasks: tuple[Task, ...]


@dataclass(frozen=True)
class Interruption:
    """A moment in a run: ``seconds`` after a task has begun."""

    kind: Kind
    task: Task
    seconds: float

    def __str__(self) -> str:
        return f"{self.kind.value}, {self.seconds:.1f} s into task {self.task.number}: {self.task.name}"


@pytest.fixture(scope="module")
def deployment(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    with deploying("resilience", request.config.getoption("archive")) as made:
        yield made


@pytest.fixture(scope="module")
def reference(deployment: Deployment) -> Reference:
    log = deployment.root / "reference.jsonl"
    process = deployment.start("apply", "--progress", "jsonl", log=log)
    assert process.wait(timeout=900) == 0, log.read_text()[-4000:]
    return Reference(read_state(deployment), tuple(_changing_tasks(log)))


def test_apply_after_an_interruption_reaches_the_same_end(
    interruption: int, deployment: Deployment, reference: Reference, request: pytest.FixtureRequest
) -> None:
    chance = random.Random(f"{request.config.getoption('seed')}/{interruption}")  # noqa: S311  repeatable
    chosen = _choose(chance, interruption, reference)
    print(f"\ninterruption {interruption}: {chosen}", flush=True)
    deployment.renew_machine()
    log = deployment.root / f"interrupted-{interruption}.jsonl"
    process = deployment.start("apply", "--progress", "jsonl", log=log)
    try:
        _wait_for(chosen, process, log)
        assert process.poll() is None, f"apply ended before the moment came:\n{log.read_text()[-2000:]}"
        if chosen.kind is Kind.CONTROLLER:
            process.kill()
            process.wait(timeout=30)
        else:
            deployment.cut_power(deployment.machine)
            # 6 where this run is so much faster than the reference that the moment falls into its verification.
            assert process.wait(timeout=NOTICE_SECONDS) in (5, 6), log.read_text()[-4000:]
            assert "Traceback" not in log.read_text(), log.read_text()[-4000:]
            deployment.switch_on(deployment.machine)
            deployment.machine.wait_until_up()
    finally:
        end_group(process)

    outcome = deployment.run("apply")
    assert outcome.exit_code == 0, outcome.log[-4000:]
    assert outcome.bad_checks() == []
    differences = compare(reference.state, read_state(deployment))
    assert not differences, "\n".join(differences)


def _choose(chance: random.Random, interruption: int, reference: Reference) -> Interruption:
    """Choose a task, each as likely as any other however long it takes, and a moment in it."""
    task = chance.choice(reference.tasks)
    kind = list(Kind)[interruption % len(Kind)]
    return Interruption(kind, task, chance.random() * task.seconds)


def _wait_for(chosen: Interruption, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the moment has come, or when the process has ended."""
    while process.poll() is None and _started(log) <= chosen.task.number:
        time.sleep(0.02)
    time.sleep(chosen.seconds)


def _events(log: Path) -> Iterator[dict[str, object]]:
    for line in log.read_text(errors="replace").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue  # a line that is still being written
        if isinstance(event, dict):
            yield event


def _started(log: Path) -> int:
    return sum(event.get("event") == "TaskStarted" for event in _events(log))


def _changing_tasks(log: Path) -> Iterator[Task]:
    """Yield the tasks that changed something; the others leave nothing half done."""
    number = -1
    for event in _events(log):
        if event.get("event") == "TaskStarted":
            number += 1
        elif event.get("event") == "TaskFinished" and event["outcome"] == "changed":
            yield Task(number, f"{event['role']} | {event['task']}", float(str(event["seconds"])))
