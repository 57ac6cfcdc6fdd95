"""A run that is stopped, by whatever, ends tidily or is tidied up by the next; and full disks are survived."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from provisioner.engine.processes import MARK
from provisioner.errors import ExitCode

from .conftest import Deployment

SLEEP = """
tasks:
  - name: Begin
    ansible.builtin.debug: {msg: begun}
  - name: Sleep
    ansible.builtin.command: sleep 64
"""
QUICK = "tasks: [{name: Look, ansible.builtin.stat: {path: /}}]\n"


def marked(deployment: Deployment) -> list[int]:
    """Return the processes of the deployment's runs."""
    sign = f"{MARK}={deployment.memory}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and sign in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def wait_until_it_sleeps(process: subprocess.Popen[str], deployment: Deployment) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        for pid in marked(deployment):
            try:
                if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep\0"):
                    return
            except OSError:
                continue
        time.sleep(0.1)
    raise AssertionError("the task did not begin")


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_run_at_once(local: Deployment, signum: signal.Signals) -> None:
    local.write_playbook(SLEEP)
    with local.start("apply", str(local.folder)) as process:
        wait_until_it_sleeps(process, local)
        started = time.monotonic()
        process.send_signal(signum)
        _, err = process.communicate(timeout=30)
        assert time.monotonic() - started < 6
    assert process.returncode == ExitCode.INTERRUPTED
    assert "interrupted while in phase converge" in err
    assert "the host may be half configured; run apply again" in err
    assert "Traceback" not in err
    assert marked(local) == []
    [directory] = local.run_directories()
    assert json.loads((directory / "report.json").read_text())["exit_code"] == 130
    local.write_playbook(QUICK)
    assert local.run().returncode == 0


def test_a_killed_controller_is_tidied_up_by_the_next_run(local: Deployment) -> None:
    local.write_playbook(SLEEP)
    with local.start("apply", str(local.folder)) as process:
        wait_until_it_sleeps(process, local)
        process.kill()
        process.communicate()
    left = marked(local)
    assert left  # Ansible itself was not killed
    local.write_playbook(QUICK)
    done = local.run()
    assert done.returncode == 0, done.stderr
    assert not set(left) & set(marked(local))
    assert list(local.memory.iterdir()) == []


def test_a_second_run_is_told_who_is_busy(local: Deployment) -> None:
    local.write_playbook(SLEEP)
    with local.start("apply", str(local.folder)) as process:
        wait_until_it_sleeps(process, local)
        second = local.run("plan")
        assert second.returncode == ExitCode.BUSY
        assert re.search(rf"`apply` runs since \S+ as process {process.pid}", second.stderr)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def test_plan_promises_that_nothing_was_changed(local: Deployment) -> None:
    local.write_playbook(
        "tasks: [{name: Sleep, ansible.builtin.wait_for: {timeout: 64}, check_mode: false}]\n"
    )
    with local.start("plan", str(local.folder), "--progress", "jsonl") as process:
        assert process.stderr
        while "HostTaskStarted" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED
    assert "nothing was changed on the hosts" in err


@pytest.mark.root
def test_a_full_disk_under_the_run_directory(local: Deployment) -> None:
    """The disk fills while the run goes on: it still ends as it would, and says what it could not keep."""
    state = local.root / "state"
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(state)], check=True)
    try:
        local.write_playbook(
            f"""
            tasks:
              - name: Fill the disk
                ansible.builtin.shell: cat /dev/zero > {state}/filler || true
                changed_when: true
              - name: Go on
                ansible.builtin.command: "true"
              - name: Say more than the begun page of the log holds
                ansible.builtin.debug: {{msg: "{{{{ item }}}}"}}
                loop: "{{{{ range(60) | list }}}}"
            """
        )
        done = local.run()
        assert "Traceback" not in done.stderr
        assert "the run's log ends here: No space left on device" in done.stderr
        assert "the report could not be written" in done.stderr
        assert done.returncode == 0
        assert "done, 2 changed" in done.stdout
        done = local.run()
        assert done.returncode == ExitCode.UNAVAILABLE
        assert "no space left" in done.stderr
        assert "Traceback" not in done.stderr
        (state / "filler").unlink()
        local.write_playbook(QUICK)
        assert local.run().returncode == 0
    finally:
        subprocess.run(["umount", str(state)], check=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_state_directory_that_is_not_ours(local: Deployment) -> None:
    (local.root / "state").mkdir(mode=0o500)
    local.write_playbook(QUICK)
    assert local.run().returncode == ExitCode.UNAVAILABLE
