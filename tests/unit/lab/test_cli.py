"""The command line of the lab."""

import json
import os

import pytest
from click.testing import CliRunner

from provisioner.cli.lab import lab as command
from provisioner.errors import UsageError
from provisioner.lab import keys, record
from provisioner.lab.record import Lab, Machine


@pytest.fixture(autouse=True)
def recorded_lab(monkeypatch, tmp_path):
    monkeypatch.setenv("SOVSTACK_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/local/bin:/usr/bin:/bin")  # as in a shell of `su`
    monkeypatch.setattr(keys, "host_public_key", lambda lab, number: f"ssh-ed25519 KEY{number}")
    machines = {number: Machine(number, 13, "/image", "s") for number in (1, 2)}
    record.save(Lab("zonnedael", 7, machines))


def test_list_as_json_has_all_that_another_program_needs():
    result = json.loads(CliRunner().invoke(command, ["list", "--output", "json"]).stdout)
    assert result["format_version"] == 1
    (found,) = result["labs"]
    assert (found["name"], found["subnet"]) == ("zonnedael", "10.77.7.0/24")
    assert found["machines"][1] == {
        "number": 2,
        "hostname": "zonnedael-2",
        "address": "10.77.7.12",
        "debian": 13,
        "state": "stopped",
        "host_key": "ssh-ed25519 KEY2",
    }


def test_list_as_text_is_a_table():
    lines = CliRunner().invoke(command, ["list"]).stdout.splitlines()
    assert lines[0].split("  ")[0] == "LAB"
    assert lines[2].split() == ["zonnedael", "2", "zonnedael-2", "10.77.7.12", "Debian", "13", "stopped"]


def test_the_programs_for_root_are_found_in_a_shell_of_su():
    assert CliRunner().invoke(command, ["list"]).exit_code == 0
    assert os.environ["PATH"] == "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


@pytest.mark.parametrize(
    ("arguments", "remote"),
    [
        (["zonnedael"], ["zonnedael-1"]),
        (["zonnedael", "2"], ["zonnedael-2"]),
        (["zonnedael", "--", "ls", "-l", "--", "x"], ["zonnedael-1", "ls", "-l", "--", "x"]),
        (["zonnedael", "2", "--", "uptime"], ["zonnedael-2", "uptime"]),
    ],
)
def test_ssh_gives_what_follows_the_dashes_to_the_other_side(monkeypatch, arguments, remote):
    became = []
    monkeypatch.setattr(os, "execvp", lambda program, argv: became.append(argv))
    CliRunner().invoke(command, ["ssh", *arguments], catch_exceptions=False)
    assert became == [["ssh", "-F", str(record.require("zonnedael").ssh_config), *remote]]


@pytest.mark.parametrize(
    "arguments", [["ssh", "nowhere"], ["ssh", "zonnedael", "3"], ["down", "zonnedael", "--all"]]
)
def test_what_does_not_exist_is_a_usage_error(arguments):
    with pytest.raises(UsageError):
        CliRunner().invoke(command, arguments, catch_exceptions=False)
