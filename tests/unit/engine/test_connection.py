"""What ssh says becomes a sentence and something to do; ssh's configuration cannot be weakened."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from provisioner.engine import connection
from provisioner.engine.connection import Contact, Target, _explain, connect, write_ssh_config
from provisioner.engine.declaration import Declaration
from provisioner.engine.workspace import Run
from provisioner.errors import ExitCode
from provisioner.paths import DOUBLE_MARKER

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqx8N7nDwpdyTtwTBhLVAvxOjNoZxCAxjSyKK8xlOlz"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBdxUSiLHMISTHM7zjBYwEyEVfrPyxvBFnlQTZTGk7fV"
TARGET = Target("main", "10.77.0.11")
KNOWN_HOSTS = Path("/srv/my deployments/known_hosts")
CHANGED = (
    "@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n@@@\nThe fingerprint for the ED25519 key "
    "sent by the remote host is\nSHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ.\n"
    "Host key verification failed."
)


@pytest.mark.parametrize(
    ("code", "complaint", "sentence", "advice"),
    [
        (255, "connect to host 10.77.0.11 port 22: Connection refused", "refuses the connection", "port 22"),
        (
            255,
            "connect to host 10.77.0.11 port 22: Connection timed out",
            "does not answer",
            "is the machine on",
        ),
        (255, "ssh: connect to host x port 22: No route to host", "cannot be reached", "route"),
        (
            255,
            "root@10.77.0.11: Permission denied (publickey).",
            "refuses the log-in of root",
            "authorized_keys",
        ),
        (
            255,
            "ssh: Could not resolve hostname x: Name or service not known",
            "cannot be resolved",
            "name server",
        ),
        (40, "", "has no python3", "apt install python3"),
        (41, "sudo: a password is required", "may not use sudo", "NOPASSWD"),
    ],
)
def test_known_complaints(code: int, complaint: str, sentence: str, advice: str) -> None:
    error = _explain(TARGET, code, complaint, KNOWN_HOSTS, [])
    assert error.message.startswith("main (10.77.0.11)")
    assert sentence in error.message
    assert advice in (error.hint or "")
    assert error.exit_code is ExitCode.UNREACHABLE


def test_unknown_complaint_is_passed_on() -> None:
    error = _explain(TARGET, 255, "kex_exchange_identification: banner line 0", KNOWN_HOSTS, [])
    assert "exit code 255" in error.message
    assert error.details == "kex_exchange_identification: banner line 0"


def test_changed_key_names_both_fingerprints_and_both_ways_out() -> None:
    error = _explain(TARGET, 255, CHANGED, KNOWN_HOSTS, [KEY])
    assert "another SSH host key" in error.message
    assert "ED25519 SHA256:" in (error.details or "")
    assert "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ" in (error.details or "")
    assert "ssh-keygen -R '10.77.0.11' -f '/srv/my deployments/known_hosts'" in (error.hint or "")
    pinned = _explain(Target("main", "10.77.0.11", host_key=KEY), 255, CHANGED, KNOWN_HOSTS, [KEY])
    assert "ssh.host_key" in (pinned.hint or "")


@pytest.fixture
def first_contact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Contact]:
    """Meet a host whose log-in shell is a script; the machine behind it is this one."""

    def meet(shell: str) -> Contact:
        programs = {"ssh": f"for command; do :; done\n{shell}\n", "sudo": 'shift; exec "$@"\n'}
        for name, script in programs.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{script}")
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        known_hosts = tmp_path / "known_hosts"
        known_hosts.write_text(f"{TARGET.label} {KEY}\n")
        [contact] = connect(Run("r", tmp_path, tmp_path), [TARGET], known_hosts, dict(os.environ))
        return contact

    return meet


@pytest.mark.parametrize("greeting", [":", "echo Welkom", "echo; echo Welkom; echo", "printf Welkom"])
def test_what_a_log_in_shell_says_is_no_answer(
    first_contact: Callable[[str], Contact], greeting: str
) -> None:
    contact = first_contact(f'{greeting}; eval "$command"')
    assert contact.error is None
    assert contact.system == platform.freedesktop_os_release()["PRETTY_NAME"]
    assert contact.memory_megabytes > 0


def test_what_an_apply_recorded_is_read(
    first_contact: Callable[[str], Contact], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = tmp_path / "declared.json"
    monkeypatch.setattr(
        connection, "_PROBE", connection._PROBE.replace(connection._LEFT_BY_APPLY, str(recorded))
    )
    contact = first_contact('eval "$command"')
    assert (contact.deployed, contact.declared) == (False, Declaration())
    recorded.write_text('{\n"roles": ["base"],\n"retired": {"roles": ["coturn"]}\n}\n')
    contact = first_contact('eval "$command"')
    assert (contact.deployed, contact.declared) == (True, Declaration(("base",), ("coturn",)))
    assert contact.memory_megabytes > 0


@pytest.mark.parametrize("user", ["0", "1000"])
def test_contract_doubles_are_found_where_they_are_installed(
    first_contact: Callable[[str], Contact], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    places = connection._PLACES.replace("/opt", f"{tmp_path}/opt").replace("/usr", f"{tmp_path}/usr")
    probe = connection._PROBE.replace(connection._PLACES, places).replace("$(id -u)", user)
    monkeypatch.setattr(connection, "_PROBE", probe)
    assert first_contact('eval "$command"').doubles == set()
    for place in ("opt/nextcloud/current", "opt/mattermost/releases/1", "usr/share/doc/jicofo"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / DOUBLE_MARKER).touch()
    contact = first_contact('eval "$command"')
    assert (contact.error, contact.doubles) == (None, {"nextcloud", "jicofo"})


@pytest.mark.parametrize("shell", ["exit 0", "echo 'This account is for backups.'"])
def test_a_shell_that_runs_nothing_is_told(first_contact: Callable[[str], Contact], shell: str) -> None:
    error = first_contact(shell).error
    assert error is not None
    assert "main (10.77.0.11) does not run the commands" in error.message
    assert "forced command" in (error.hint or "")


def effective(config: Path, host: str, home: Path) -> dict[str, str]:
    """Return what OpenSSH makes of a configuration file."""
    said = subprocess.run(
        ["ssh", "-G", "-F", str(config), host],
        capture_output=True,
        text=True,
        check=True,
        env={"HOME": str(home)},
    ).stdout
    return dict(line.split(" ", 1) for line in said.splitlines() if " " in line)


def test_ssh_config_is_strict_and_knows_the_hosts(tmp_path: Path) -> None:
    (tmp_path / "run dir").mkdir()
    run = Run("r", tmp_path / "run dir", tmp_path)
    known = tmp_path / "known_hosts"
    known.write_text(f"10.77.0.11 {OTHER}\n[10.77.0.12]:2222 {OTHER}\n10.9.9.9 {OTHER}\n")
    targets = [
        Target("main", "10.77.0.11", host_key=KEY),
        Target("second", "10.77.0.12", 2222, "ops", key_file=tmp_path / "id"),
    ]
    config = write_ssh_config(run, targets, known)
    # A pin outranks the record, and hosts of no concern here are left out.
    assert (run.directory / "known_hosts").read_text() == (f"10.77.0.11 {KEY}\n[10.77.0.12]:2222 {OTHER}\n")
    options = effective(config, "second", tmp_path)
    assert (options["hostname"], options["port"], options["user"]) == ("10.77.0.12", "2222", "ops")
    assert options["stricthostkeychecking"] in ("true", "yes")
    assert options["userknownhostsfile"] == str(run.directory / "known_hosts")
    assert options["batchmode"] == "yes"
