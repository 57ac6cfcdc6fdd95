"""The command's frame: quick, one printer of errors, the promised exit codes."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from provisioner import cli
from provisioner.cli.failure import wants_json
from provisioner.errors import Busy, ExitCode, HostFailed, Interrupted, ProvisionerError, Unavailable

EXAMPLE = Path(__file__).parents[3] / "inventories" / "example" / "profile.yml"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "provisioner", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """Make `sovstack status` raise what the test puts into the list."""
    errors: list[BaseException] = []

    @click.command("status")
    @click.option("--output", default="text")
    def status(output: str) -> None:
        raise errors[0]

    monkeypatch.setattr(cli._Verbs, "get_command", lambda self, ctx, name: status)
    return errors


def test_every_verb_of_the_table_exists() -> None:
    context = click.Context(cli.sovstack)
    for verb in cli._VERBS:
        command = cli.sovstack.get_command(context, verb)
        assert command is not None
        assert command.name == verb
        assert command.help


def test_help_names_every_verb_and_imports_none() -> None:
    program = (
        "import sys; from provisioner import cli; code = cli.run(['--help']);"
        "print([name for name in sys.modules if name.startswith('provisioner.cli.')]); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    for verb in cli._VERBS:
        assert f"  {verb} " in done.stdout
    assert done.stdout.splitlines()[-1] == "['provisioner.cli.terminal', 'provisioner.cli.failure']"


def test_validate_does_not_pay_for_what_it_does_not_use() -> None:
    program = (
        f"import sys; from provisioner import cli; cli.run(['validate', {str(EXAMPLE)!r}]);"
        "print([name for name in ('ansible', 'ansible_runner', 'rich', 'pytest', 'cryptography')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["apply"], ["apply", "x", "--nonsense"], ["plan", "--output", "xml"]]
)
def test_wrong_usage_is_64_with_a_place_to_look(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(arguments) == ExitCode.USAGE
    said = capsys.readouterr()
    assert said.err.startswith("error: ")
    assert "--help" in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("closed", "arguments", "code"),
    [
        (">&-", ["validate", str(EXAMPLE)], ExitCode.DONE),
        ("2>&-", ["nonsense"], ExitCode.USAGE),
        ("<&-", ["destroy", str(EXAMPLE)], ExitCode.USAGE),
    ],
)
def test_a_closed_stream_is_no_internal_error(closed: str, arguments: list[str], code: int) -> None:
    program = [sys.executable, "-m", "provisioner", *arguments]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *program], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert "internal error" not in done.stderr


@pytest.mark.parametrize("arguments", [[], ["lab"], ["releases"], ["meet"]])
def test_without_a_command_there_is_help_and_no_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(arguments) == ExitCode.USAGE
    said = capsys.readouterr()
    assert said.err.startswith(" ".join(["Usage: sovstack", *arguments]))
    assert "error" not in said.err.splitlines()[0]
    assert "hint:" not in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (HostFailed("m"), 4),
        (Busy("m"), 75),
        (Unavailable("m"), 69),
        (Interrupted("m"), 130),
        (ProvisionerError("m"), 1),
    ],
)
def test_errors_give_their_exit_code(
    raising: list[BaseException], error: ProvisionerError, code: int
) -> None:
    raising.append(error)
    assert cli.run(["status"]) == code


def test_an_error_is_printed_with_details_and_hint(
    raising: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    raising.append(HostFailed("it fell", details="line 1\nline 2", hint="lift it"))
    cli.run(["status"])
    assert capsys.readouterr().err == "error: it fell\n  line 1\n  line 2\nhint: lift it\n"


def test_an_error_is_json_where_json_was_asked_for(
    raising: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    raising.append(HostFailed("it fell", hint="lift it"))
    cli.run(["status", "--output", "json"])
    said = capsys.readouterr()
    assert json.loads(said.out) == {
        "format_version": 1,
        "error": {
            "kind": "HostFailed",
            "message": "it fell",
            "details": None,
            "hint": "lift it",
            "exit_code": 4,
        },
    }
    assert said.err == ""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--output", "json"], True),
        (["x", "--output=json"], True),
        (["--output", "text"], False),
        (["lab", "ssh", "--", "cmd", "--output", "json"], False),
        ([], False),
    ],
)
def test_whether_json_was_asked_for(arguments: list[str], expected: bool) -> None:
    assert wants_json(arguments) is expected


def test_ctrl_c_is_130_and_a_sentence(
    raising: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    raising.append(KeyboardInterrupt())
    assert cli.run(["status"]) == ExitCode.INTERRUPTED
    assert capsys.readouterr().err.strip() == "interrupted"


def test_a_fault_of_ours_leaves_its_traceback_in_a_file(
    raising: list[BaseException],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOVSTACK_STATE_DIR", str(tmp_path))
    raising.append(ZeroDivisionError("oh"))
    assert cli.run(["status"]) == ExitCode.INTERNAL
    said = capsys.readouterr().err
    assert "Traceback" not in said
    [file] = (tmp_path / "crashes").iterdir()
    assert str(file) in said
    assert "ZeroDivisionError: oh" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0


def test_debug_prints_the_traceback(
    raising: list[BaseException],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOVSTACK_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("SOVSTACK_DEBUG", "1")
    raising.append(ZeroDivisionError("oh"))
    cli.run(["status"])
    assert "Traceback" in capsys.readouterr().err


def test_a_reader_that_goes_away_makes_no_noise() -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m provisioner schema | head -c 10; echo; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] in ("141", "0")  # 0: the pipe held everything


def test_a_full_disk_behind_stdout_is_an_error_and_not_a_traceback() -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m provisioner schema > /dev/full"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ExitCode.UNAVAILABLE
    assert "Traceback" not in done.stderr
    assert "No space left" in done.stderr


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_end_the_program_with_130(signum: signal.Signals) -> None:
    program = (
        "import signal, sys, time, click; from provisioner import cli\n"
        # Whoever runs the tests in the background or under nohup has them ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler); signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        "@click.command('status')\n"
        "def status():\n"
        "    print('ready', flush=True); time.sleep(30)\n"
        "cli._Verbs.get_command = lambda self, ctx, name: status\n"
        "sys.argv = ['sovstack', 'status']; cli.main()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signum)
        assert process.wait(timeout=10) == ExitCode.INTERRUPTED
        assert process.stderr
        assert process.stderr.read().strip() == "interrupted"


def test_the_program_itself_is_quick() -> None:
    """Held in processor time: what the clock says depends on what else the computer does."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run("--version")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stdout.startswith("sovstack ")
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.4
