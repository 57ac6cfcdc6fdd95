"""How the command line says that something went wrong: to people on stderr, to programs as JSON on stdout."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import click

from provisioner import __version__
from provisioner.cli.terminal import say
from provisioner.errors import ExitCode, ProvisionerError, Unavailable, UsageError
from provisioner.paths import state_dir

# Nobody reads, or the disk behind the log is full: the exit code still tells.
_EVEN_UNHEARD = contextlib.suppress(OSError)


def wants_json(arguments: Sequence[str]) -> bool:
    """Tell whether a command line asks for JSON; needed also where it could not be parsed."""
    own = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    return "--output=json" in own or ("--output", "json") in itertools.pairwise(own)


class _Explained(Protocol):
    """What an error and its record in a report have in common."""

    @property
    def message(self) -> str: ...
    @property
    def details(self) -> str | None: ...
    @property
    def hint(self) -> str | None: ...
    @property
    def exit_code(self) -> int: ...


def print_failure(error: ProvisionerError, arguments: Sequence[str]) -> None:
    """Print an error that ended a command: for people, or as JSON if the command line asks for that."""
    if wants_json(arguments):
        problem: dict[str, Any] = {
            "kind": type(error).__name__,
            "message": error.message,
            "details": error.details,
            "hint": error.hint,
            "exit_code": int(error.exit_code),
        }
        if problems := [problem.to_dict() for problem in getattr(error, "problems", ())]:
            problem["problems"] = problems
        with _EVEN_UNHEARD:
            click.echo(json.dumps({"format_version": 1, "error": problem}, indent=2))
    else:
        print_error(error)


def print_error(error: _Explained) -> None:
    """Print one error for people: message, what another program said, what to do."""
    interrupted = error.exit_code == ExitCode.INTERRUPTED
    _say(f"\n{error.message}" if interrupted else f"error: {error.message}")
    if error.details:
        _say("\n".join(f"  {line}" for line in error.details.rstrip().splitlines()))
    if error.hint:
        _say(f"hint: {error.hint}")


def print_usage_error(error: click.UsageError, arguments: Sequence[str]) -> None:
    """Print what is wrong with the command line, and where its help is; without a command, the help itself."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        _say(error.format_message())
        return
    path = error.ctx.command_path if error.ctx else "sovstack"
    print_failure(UsageError(error.format_message(), hint=f"see: {path} --help"), arguments)


def explain(error: Exception) -> ProvisionerError:
    """Return what to say about an unexpected error; its traceback goes to a file, unless the disk is full."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Unavailable(str(error), hint="free some space there and run the command again")
    return _record_crash(error)


def _record_crash(error: Exception) -> ProvisionerError:
    text = "".join(traceback.format_exception(error))
    if os.environ.get("SOVSTACK_DEBUG") == "1":
        _say(text)
    place = _write_crash(f"sovstack {__version__}, Python {sys.version}\n{text}")
    return ProvisionerError(
        f"internal error: {type(error).__name__}: {error}",
        hint=f"this is a fault of sovstack, not of your profile; please report it with {place}",
    )


def _write_crash(text: str) -> Path:
    name = f"sovstack-crash-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.txt"
    for folder in (state_dir() / "crashes", Path(tempfile.gettempdir())):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError:
            continue
        with os.fdopen(handle, "w") as file:
            file.write(text)
        return folder / name
    return Path("(the traceback could not be written; run again with SOVSTACK_DEBUG=1)")


def _say(text: str) -> None:
    with _EVEN_UNHEARD:
        say(text, err=True)
