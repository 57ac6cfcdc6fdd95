"""The persistent shell against a local /bin/sh."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.checks import shell as shell_module
from provisioner.checks.shell import CommandTimedOut, Shell, ShellBackend
from provisioner.errors import HostUnreachable


@pytest.fixture
def shell() -> Iterator[Shell]:
    opened = Shell(["/bin/sh"])
    yield opened
    opened.close()


def test_status_and_both_outputs(shell: Shell) -> None:
    assert shell.run("echo out; echo err >&2; exit 3") == (3, b"out\n", b"err\n")


def test_output_is_exact(shell: Shell) -> None:
    """No newline is added or taken away, and bytes are bytes."""
    assert shell.run(r"printf 'a\n\nb'")[1] == b"a\n\nb"
    assert shell.run(r"printf '\000\377\n'")[1] == b"\x00\xff\n"
    assert shell.run("true") == (0, b"", b"")


def test_large_output(shell: Shell) -> None:
    status, output, errors = shell.run("head -c 3000000 /dev/zero; head -c 1000000 /dev/zero >&2")
    assert (status, len(output), len(errors)) == (0, 3_000_000, 1_000_000)


def test_commands_do_not_disturb_each_other(shell: Shell) -> None:
    shell.run("cd /tmp; FOO=1; exec >/dev/null; exit 7")
    assert shell.run("echo $FOO; cat; echo end") == (0, b"\nend\n", b"")
    assert shell.run("echo 'it''s'; echo \"$(id -u)\" | wc -l")[0] == 0


def test_syntax_error_is_the_commands_own(shell: Shell) -> None:
    status, _, errors = shell.run("if then")
    assert status == 2
    assert b"yntax error" in errors
    assert shell.run("echo still here")[1] == b"still here\n"


def test_banner_of_the_log_in_is_not_output() -> None:
    shell = Shell(["/bin/sh", "-c", "echo Welcome; echo Mind the step >&2; exec /bin/sh"])
    assert shell.run("echo x") == (0, b"x\n", b"")
    shell.close()


def test_hanging_command_is_ended_and_the_next_one_works(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell_module, "COMMAND_SECONDS", 0.5)
    started = time.monotonic()
    with pytest.raises(CommandTimedOut, match="sleep 60"):
        shell.run("sleep 60")
    assert time.monotonic() - started < 5
    assert shell.run("echo x")[1] == b"x\n"


def test_refused_log_in_is_reported_in_sshs_words_and_tried_once(tmp_path: Path) -> None:
    shell = Shell(["/bin/sh", "-c", f"echo once >> {tmp_path}/log; echo Permission denied >&2; exit 255"])
    for _ in range(3):
        with pytest.raises(HostUnreachable, match="Permission denied"):
            shell.run("true")
    assert (tmp_path / "log").read_text() == "once\n"


def test_missing_program_is_unreachable() -> None:
    with pytest.raises(HostUnreachable, match="no-such-ssh"):
        Shell(["no-such-ssh"]).run("true")


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("echo one; echo two; exit 3", "<echo one; echo two; exit 3: exit code 3, two>"),
        ("echo out; echo trace >&2; echo cause >&2; exit 1", "exit code 1, cause>"),
        ("exit 4 # a\n  b", "<exit 4 # a b: exit code 4, no words>"),
        (f"printf '%s' {'x' * 500}; exit 5", f"xxx...: exit code 5, {'x' * 150}...>"),
    ],
)
def test_a_failed_check_shows_a_command_as_a_person_would(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, command: str, shown: str
) -> None:
    monkeypatch.setitem(ShellBackend.shells, "main", shell)
    assert str(ShellBackend("main").run(command)).endswith(shown)
