"""A real machine over SSH: first contact, every way not to get in, and a connection that breaks."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.engine import host_keys
from provisioner.engine.processes import MARK
from provisioner.errors import ExitCode
from provisioner.lab import keys, lifecycle, record

from .conftest import ROOT, Deployment, make_deployment, profile_text

pytestmark = [pytest.mark.root, pytest.mark.slow]

LAB = "engine"
LOOK = "tasks: [{name: Look, ansible.builtin.stat: {path: /}}]\n"
SLEEP = """
tasks:
  - name: Begin
    ansible.builtin.command: "true"
  - name: Sleep
    ansible.builtin.command: sleep 65
"""


@pytest.fixture(scope="module")
def machine() -> Iterator[str]:
    """The address of a lab machine."""
    lifecycle.up(LAB, machines=1)
    try:
        [lab] = [lab for lab in lifecycle.listing() if lab.name == LAB]
        yield lab.machines[0].address
    finally:
        lifecycle.down(LAB)


@pytest.fixture
def deployment(machine: str, tmp_path: Path) -> Iterator[Deployment]:
    made = make_deployment(tmp_path, "ssh", profile_text(machine, key_file=str(keys.client_key())))
    made.write_playbook(LOOK)
    yield made
    shutil.rmtree(made.memory)


def rewrite(deployment: Deployment, pattern: str, replacement: str) -> None:
    file = deployment.folder / "profile.yml"
    text = re.sub(pattern, replacement, file.read_text())
    assert text != file.read_text()
    file.write_text(text)


def on_machine(command: str) -> str:
    [lab] = [lab for lab in lifecycle.listing() if lab.name == LAB]
    done = subprocess.run(
        ["ssh", "-F", lab.ssh_config, lab.machines[0].hostname, command],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def own_key() -> str:
    lab = record.require(LAB)
    return " ".join(keys.host_public_key(lab, 1).split()[:2])


def other_key(folder: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "other")], check=True)
    return " ".join((folder / "other.pub").read_text().split()[:2])


@pytest.mark.parametrize("transport", ["mitogen", "ssh"])
def test_the_first_contact_records_the_key_and_later_ones_hold_it(
    deployment: Deployment, machine: str, transport: str, tmp_path: Path
) -> None:
    first = deployment.run(SOVSTACK_TRANSPORT=transport)
    assert first.returncode == 0, first.stderr
    known = deployment.folder / "known_hosts"
    assert known.read_text() == f"{machine} {own_key()}\n"
    assert host_keys.fingerprint(own_key()) in first.stderr
    again = deployment.run(SOVSTACK_TRANSPORT=transport)
    assert again.returncode == 0
    assert "recorded" not in again.stderr

    old = other_key(tmp_path)
    known.write_text(f"{machine} {old}\n")
    changed = deployment.run(SOVSTACK_TRANSPORT=transport)
    assert changed.returncode == ExitCode.UNREACHABLE
    assert "shows another SSH host key than the one recorded" in changed.stderr
    assert host_keys.fingerprint(old).split()[1] in changed.stderr
    assert host_keys.fingerprint(own_key()).split()[1] in changed.stderr
    assert f"ssh-keygen -R '{machine}'" in changed.stderr
    assert known.read_text() == f"{machine} {old}\n"  # never silently replaced


def test_a_pinned_key_is_held_and_nothing_is_recorded(deployment: Deployment, tmp_path: Path) -> None:
    rewrite(deployment, r"user: root\n", f"user: root\n      host_key: {own_key()} comment\n")
    assert deployment.run().returncode == 0
    assert not (deployment.folder / "known_hosts").exists()
    rewrite(deployment, r"host_key: .*", f"host_key: {other_key(tmp_path)}")
    wrong = deployment.run()
    assert wrong.returncode == ExitCode.UNREACHABLE
    assert "another SSH host key than the one pinned in the profile" in wrong.stderr


def test_the_user_s_own_ssh_configuration_cannot_weaken_it(
    deployment: Deployment, machine: str, tmp_path: Path
) -> None:
    (deployment.folder / "known_hosts").write_text(f"{machine} {other_key(tmp_path)}\n")
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    (home / ".ssh" / "config").write_text(
        "Host *\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n"
    )
    assert deployment.run(HOME=str(home)).returncode == ExitCode.UNREACHABLE


@pytest.mark.parametrize(
    ("pattern", "replacement", "sentence"),
    [
        (r"address: .*\.11", "address: 10.77.254.77", "does not answer|cannot be reached"),
        (r"user: root\n", "user: root\n      port: 2\n", "refuses the connection|does not answer"),
        (r"user: root\n", "user: nobody\n", "refuses the log-in of nobody"),
    ],
)
def test_ways_not_to_get_in(deployment: Deployment, pattern: str, replacement: str, sentence: str) -> None:
    rewrite(deployment, pattern, replacement)
    started = time.monotonic()
    done = deployment.run()
    assert done.returncode == ExitCode.UNREACHABLE
    assert re.search(sentence, done.stderr)
    assert "hint: " in done.stderr
    assert time.monotonic() - started < 25


def test_a_host_without_python_says_so(deployment: Deployment) -> None:
    on_machine("mv /usr/bin/python3 /usr/bin/python3.away")
    try:
        done = deployment.run()
    finally:
        on_machine("mv /usr/bin/python3.away /usr/bin/python3")
    assert done.returncode == ExitCode.UNREACHABLE
    assert "has no python3" in done.stderr
    assert "apt install python3" in done.stderr


def test_every_host_that_cannot_be_used_is_named(deployment: Deployment, machine: str) -> None:
    rewrite(
        deployment,
        r"\nservices:",
        "\n".join(
            f"  {name}: {{address: {address}, provider: on-premise, location: NL, ssh: {{port: 2}}}}"
            for name, address in (
                ("second", machine.replace(".11", ".12")),
                ("third", machine.replace(".11", ".13")),
            )
        )
        + "\n\nservices:",
    )
    for name in ("cloud", "chat", "meet"):
        rewrite(deployment, f"hostname: {name}", f"host: main\n    hostname: {name}")
    rewrite(deployment, r"portal:\n", "portal:\n  host: main\n")
    done = deployment.run()
    assert done.returncode == ExitCode.UNREACHABLE
    assert "2 of 3 hosts cannot be used" in done.stderr
    assert re.search(r"second \([0-9.]+, port 2\) (does not answer|cannot be reached)", done.stderr)
    assert re.search(r"third \([0-9.]+, port 2\) (does not answer|cannot be reached)", done.stderr)


def make_ops(deployment: Deployment) -> None:
    """Reach the machine as a user who has not got sudo yet."""
    on_machine(
        "id ops >/dev/null 2>&1 || useradd -m ops; mkdir -p ~ops/.ssh; "
        "cp ~/.ssh/authorized_keys ~ops/.ssh/ && chown -R ops ~ops/.ssh; command -v sudo || apt-get install -qq sudo"
    )
    on_machine("rm -f /etc/sudoers.d/ops")
    rewrite(deployment, r"user: root\n", "user: ops\n")


def test_another_user_than_root_needs_sudo(deployment: Deployment) -> None:
    make_ops(deployment)
    refused = deployment.run()
    assert refused.returncode == ExitCode.UNREACHABLE
    assert "user ops may not use sudo without a password" in refused.stderr
    on_machine("echo 'ops ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ops")
    deployment.write_playbook(
        "tasks: [{name: Look, ansible.builtin.stat: {path: /root/.ssh}, register: a}]\n"
    )
    for transport in ("mitogen", "ssh"):
        done = deployment.run(SOVSTACK_TRANSPORT=transport)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("transport", ["mitogen", "ssh"])
def test_ssh_sources_are_held_against_a_run_with_sudo(deployment: Deployment, transport: str) -> None:
    make_ops(deployment)
    on_machine("echo 'ops ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ops")
    (deployment.root / "content" / "roles" / "firewall").symlink_to(ROOT / "roles" / "firewall")
    for sources, code, sentence in (
        ("192.0.2.0/24", ExitCode.HOST_FAILED, "which is in none of firewall_ssh_sources (192.0.2.0/24)"),
        ("10.0.0.0/8", ExitCode.DONE, ""),
    ):
        deployment.write_playbook(
            "become: true\ntasks: [{name: Hold, ansible.builtin.include_role:"
            " {name: firewall, tasks_from: preflight_sources, rolespec_validate: false},"
            f" vars: {{firewall_ssh_sources: [{sources}]}}}}]\n"
        )
        done = deployment.run(SOVSTACK_TRANSPORT=transport)
        assert done.returncode == code, done.stderr
        assert sentence in done.stdout + done.stderr


@pytest.mark.parametrize("transport", ["mitogen", "ssh"])
def test_a_machine_that_dies_in_the_middle(deployment: Deployment, transport: str) -> None:
    deployment.write_playbook(SLEEP)
    with deployment.start(
        "apply", str(deployment.folder), "--progress", "jsonl", SOVSTACK_TRANSPORT=transport
    ) as process:
        assert process.stderr
        while '"task": "Sleep"' not in process.stderr.readline():
            assert process.poll() is None
        time.sleep(2)
        lifecycle.kill(LAB, 1)
        started = time.monotonic()
        _, err = process.communicate(timeout=90)
    try:
        assert time.monotonic() - started < 60
        assert process.returncode == ExitCode.UNREACHABLE, err
        assert "main does not answer any more; it was lost during" in err
        assert "Traceback" not in err
        [directory] = deployment.run_directories()
        assert json.loads((directory / "report.json").read_text())["failures"][0]["unreachable"]
    finally:
        lifecycle.up(LAB)
    deployment.write_playbook(LOOK)
    assert deployment.run().returncode == 0


@pytest.mark.parametrize("transport", ["mitogen", "ssh"])
def test_an_interrupted_run_leaves_no_process_here(deployment: Deployment, transport: str) -> None:
    deployment.write_playbook(SLEEP)
    with deployment.start(
        "apply", str(deployment.folder), "--progress", "jsonl", SOVSTACK_TRANSPORT=transport
    ) as process:
        assert process.stderr
        while '"task": "Sleep"' not in process.stderr.readline():
            assert process.poll() is None
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED
    sign = f"{MARK}={deployment.memory}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                assert sign not in (entry / "environ").read_bytes()
            except OSError:
                continue
