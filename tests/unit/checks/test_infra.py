from __future__ import annotations

import pytest

from provisioner.checks.infra import parse_listeners
from provisioner.checks.shell import remote_shell, ssh_command


def test_listeners_are_those_beyond_loopback() -> None:
    table = """\
LISTEN 0 128          0.0.0.0:22        0.0.0.0:*
LISTEN 0 244        127.0.0.1:5432      0.0.0.0:*
LISTEN 0 4096   127.0.0.53%lo:53        0.0.0.0:*
LISTEN 0 511             [::]:443          [::]:*
LISTEN 0 511            [::1]:631          [::]:*
LISTEN 0 511 [::ffff:127.0.0.1]:8080          *:*
LISTEN 0 511      10.77.0.11:9000       0.0.0.0:*
LISTEN 0 50                 *:8081            *:*
"""
    assert parse_listeners(table) == {22, 443, 9000, 8081}


def test_ssh_command_follows_ansibles_variables() -> None:
    command = ssh_command(
        "main",
        {
            "ansible_host": "10.77.0.11",
            "ansible_port": 2222,
            "ansible_user": "admin",
            "ansible_ssh_private_key_file": "/keys/one two",
            "ansible_ssh_common_args": "-o UserKnownHostsFile='/a b/known_hosts' -o StrictHostKeyChecking=yes",
        },
        ["-o", "ControlMaster=no"],
    )
    assert command[:2] == ["ssh", "-T"]
    assert command[-2:] == ["--", "10.77.0.11"]
    assert "UserKnownHostsFile=/a b/known_hosts" in command
    assert command[command.index("-i") + 1] == "/keys/one two"
    assert command[command.index("-p") + 1] == "2222"
    assert command[command.index("-l") + 1] == "admin"
    assert command.index("ControlMaster=no") < command.index("StrictHostKeyChecking=yes"), (
        "ssh keeps the first"
    )


def test_ssh_never_asks_for_a_password() -> None:
    assert "BatchMode=yes" in ssh_command("main", {})


def test_host_without_address_is_reached_by_name() -> None:
    assert ssh_command("main", {})[-1] == "main"


@pytest.mark.parametrize(("become", "shell"), [(True, "sudo -n /bin/sh"), (False, "/bin/sh")])
def test_shell_is_roots(become: bool, shell: str) -> None:
    assert remote_shell({"ansible_become": become}) == shell
