"""Whatever is killed at whatever moment: ``up`` completes the lab, and ``down`` leaves no trace of it.

The moments and the victims are random from a seed. SOVSTACK_LAB_SEED repeats one run, SOVSTACK_LAB_ROUNDS makes
it longer.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from provisioner import lab

pytestmark = [pytest.mark.root, pytest.mark.slow]

ROUNDS = int(os.environ.get("SOVSTACK_LAB_ROUNDS", "8"))
SEED = int(os.environ.get("SOVSTACK_LAB_SEED", "20261124"))


def kill_surely(pid: int, still_ours) -> bool:
    """Kill a process of the lab under test, and nobody who got its number in the meantime."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if pid not in still_ours():
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def victims(computer, command: subprocess.Popen, rng: random.Random) -> list[int]:
    """Return processes to kill: the command, one of the lab's own, one of a machine's, or all of a kind."""
    processes = {pid: name for pid, name in computer.own_processes().items() if pid != command.pid}
    kind = rng.choice(["command", "any", "any", "systemd-nspawn", "python", "systemd", "all"])
    if kind == "command":
        return [command.pid]
    if kind == "all":
        return [command.pid, *processes]
    chosen = sorted(pid for pid, name in processes.items() if kind == "any" or name.startswith(kind))
    return [rng.choice(chosen)] if chosen else [command.pid]


def test_a_lab_interrupted_at_random_moments_can_be_completed_and_leaves_no_trace(computer):
    lab.up("lab", machines=2, subnet=computer.subnet)  # the base image is in the cache from here on
    lab.down("lab")
    rng = random.Random(SEED)  # noqa: S311  repeatable, not secret
    for number in range(ROUNDS):
        story = []
        for _ in range(rng.randint(1, 3)):
            verb = rng.choice(
                [["up", "lab", "--machines", "2", "--subnet", computer.subnet], ["down", "lab"]]
            )
            command = subprocess.Popen(
                computer.command(*verb), stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            delay = rng.uniform(0.05, 2.5 if verb[0] == "up" else 0.6)
            time.sleep(delay)
            chosen = victims(computer, command, rng)
            hit = [pid for pid in chosen if pid == command.pid or kill_surely(pid, computer.own_processes)]
            if command.pid in hit:
                command.kill()
            command.communicate(timeout=120)
            story.append(f"{verb[0]} hit after {delay:.2f} s: {hit}, exit {command.returncode}")
        if rng.random() < 0.5:
            done = computer.run("up", "lab", "--machines", "2")
            assert done.returncode == 0, f"seed {SEED}, round {number}, {story}: up failed: {done.stderr}"
            assert done.stdout.count("running") == 2
        done = computer.run("down", "lab")
        assert done.returncode == 0, f"seed {SEED}, round {number}, {story}: down failed: {done.stderr}"
        assert computer.traces() == [], f"seed {SEED}, round {number}, {story}"


def test_ctrl_c_while_machines_start_is_told_and_leaves_a_lab_that_up_completes(computer):
    lab.up("lab", subnet=computer.subnet)
    lab.down("lab")
    command = subprocess.Popen(
        computer.command("up", "lab", "--subnet", computer.subnet),
        stderr=subprocess.PIPE,
        text=True,
        # A shell ignores it in what it starts in the background, and so the tests would for their children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert "starting lab-1" in command.stderr.readline()
    command.send_signal(signal.SIGINT)
    _, rest = command.communicate(timeout=30)
    assert command.returncode == 130
    assert "interrupted" in rest
    assert computer.run("up", "lab").returncode == 0


def test_a_machine_whose_supervisor_was_killed_is_shown_and_started_anew(computer):
    lab.up("lab", subnet=computer.subnet)
    (keeper,) = [
        pid
        for pid, name in computer.members().items()
        if name.startswith("python") and _is_child_of_init(pid)
    ]
    assert kill_surely(keeper, computer.members)
    time.sleep(0.2)
    assert "orphaned" in computer.run("list").stdout
    assert "running" in computer.run("up", "lab").stdout


def _is_child_of_init(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1] == "1"


def test_a_killed_image_build_leaves_no_mount_and_no_process_and_is_made_anew(
    computer, monkeypatch, tmp_path
):
    monkeypatch.setenv("SOVSTACK_CACHE_DIR", str(tmp_path / "cache"))
    command = subprocess.Popen(
        computer.command("up", "lab", "--subnet", computer.subnet), stderr=subprocess.PIPE
    )
    workshop = tmp_path / "cache" / "lab"
    deadline = time.monotonic() + 60
    while not list(workshop.glob(".*.building/root/usr")):
        assert time.monotonic() < deadline, "mmdebstrap did not begin"
        time.sleep(0.1)
    command.kill()
    command.communicate()
    time.sleep(1)
    assert [name for name in computer.own_processes().values() if name != "pytest"] == []
    assert not list(workshop.glob("debian-*[!g]")) or all(
        path.suffix == ".log" for path in workshop.glob("debian-*")
    )
    done = computer.run("up", "lab", "--subnet", computer.subnet)
    assert done.returncode == 0, done.stderr
    assert not list(workshop.glob(".*.building"))
