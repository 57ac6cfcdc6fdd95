"""The ``sovstack`` command: find the verb, run it, print what went wrong, exit with the right code.

The verbs live in one module per family and are imported when they are called, so that ``validate`` never
pays for Ansible. Every error of the tree in :mod:`provisioner.errors` is printed here and nowhere else.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import click

from provisioner import __version__
from provisioner.cli.failure import explain, print_failure, print_usage_error
from provisioner.errors import ExitCode, Interrupted, ProvisionerError

# Verb -> (module that defines it, one line of help). The line stands here so that ``--help`` imports nothing.
_FAMILIES: dict[str, dict[str, tuple[str, str]]] = {
    "Profile": {
        "init": ("profile", "Begin a deployment: write its profile and its secrets file."),
        "validate": ("profile", "Check a profile: every problem, its place and its remedy."),
        "schema": ("profile", "Print the JSON Schema of a profile, for editors."),
        "render": ("profile", "Print the inventory a profile gives, secrets masked."),
    },
    "Deployment": {
        "plan": ("deployment", "Show what apply would change, per host and role."),
        "apply": ("deployment", "Make the hosts what the profile says, then verify."),
        "verify": ("deployment", "Test the running deployment, on the hosts and from outside."),
        "status": ("deployment", "Show the last runs, whether hosts answer, and versions."),
        "report": ("deployment", "Print the report of a run."),
        "destroy": ("deployment", "Remove what apply installed, data included; keep the hosts."),
    },
    "Services": {
        "meet": ("meet", "Signed links into meetings."),
    },
    "Tools": {
        "releases": ("releases", "What gets installed, from where, and how it was checked."),
        "lab": ("lab", "Debian machines on this computer, to try it all."),
    },
}
_VERBS = {verb: where for family in _FAMILIES.values() for verb, where in family.items()}


class _Verbs(click.Group):
    """A command group whose members are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        module = importlib.import_module(f"provisioner.cli.{_VERBS[cmd_name][0]}")
        return next(
            command
            for command in vars(module).values()
            if isinstance(command, click.Command) and command.name == cmd_name
        )

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for family, verbs in _FAMILIES.items():
            with formatter.section(family):
                formatter.write_dl([(verb, help_line) for verb, (_, help_line) in verbs.items()])


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="sovstack %(version)s")
def sovstack() -> None:
    """One profile file in, one working, verified, sovereign collaboration suite out.

    Start with `sovstack init NAME`, edit the profile it writes, then run `sovstack apply` on it.
    Results go to standard output, progress to standard error.

    \b
    Exit codes: 0 done, 2 changes pending, 3 profile invalid, 4 a host failed, 5 unreachable,
    6 verification failed, 7 release not trusted, 64 usage, 69 something missing on this
    computer, 75 another run is busy, 130 interrupted, 1 internal error.
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; everything there is to say has been printed."""
    try:
        result = sovstack.main(args=list(arguments), prog_name="sovstack", standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as error:
        print_usage_error(error, arguments)
        return ExitCode.USAGE
    except click.ClickException as error:
        print_failure(ProvisionerError(error.format_message()), arguments)
        return ExitCode.INTERNAL
    except (click.Abort, KeyboardInterrupt):
        print_failure(Interrupted("interrupted"), arguments)
        return ExitCode.INTERRUPTED
    except ProvisionerError as error:
        print_failure(error, arguments)
        return error.exit_code
    except BrokenPipeError:
        return _leave_closed_pipe()
    except Exception as error:  # noqa: BLE001  the last door: a user never meets a traceback
        failure = explain(error)
        print_failure(failure, arguments)
        return failure.exit_code
    return result if isinstance(result, int) else ExitCode.DONE


def _leave_closed_pipe() -> int:
    """Return what a shell expects of a program whose reader went away, and keep the exit silent."""
    # The interpreter flushes stdout once more at its end; that flush must not meet the closed pipe again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + signal.SIGPIPE


def _interrupt(signum: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _open_closed_streams() -> None:
    """Lead the standard streams that the caller closed nowhere, so that no file opened later takes their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115  open until the program ends


def main() -> NoReturn:
    """Be the ``sovstack`` program."""
    _open_closed_streams()
    # A terminated run, and one whose terminal went away, ends as tidily as one stopped by Ctrl-C.
    for signum in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(signum) is not signal.SIG_IGN:  # nohup stays nohup
            signal.signal(signum, _interrupt)
    sys.exit(run(sys.argv[1:]))
