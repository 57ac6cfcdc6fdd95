"""The program ``mmctl``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import client_commands  # noqa: F401  its functions register themselves
from .client import PLAYED, Client, Failed, Printer
from .contract import INTERFACE, VERSION, Refusal
from .flags import Invocation, read

_DEFAULT_SOCKET = "/var/tmp/mattermost_local.socket"


def main() -> None:
    """Run one command and exit as the real program does."""
    try:
        invocation = read("mmctl", sys.argv[1:], INTERFACE["mmctl"])
        _run(invocation, _settings(invocation.flags, os.environ))
    except (Refusal, Failed) as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)


def _settings(flags: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the flags of all commands, with those that the environment gives where none was given."""
    settings: dict[str, Any] = {"local-socket-path": _DEFAULT_SOCKET}
    for variable, text in environment.items():
        if variable.startswith("MMCTL_"):
            if variable not in INTERFACE["client_environment"]:
                raise Refusal(f"mmctl has no setting {variable}")
            name = variable.removeprefix("MMCTL_").lower().replace("_", "-")
            boolean = INTERFACE["mmctl"]["flags"].get(name) == "boolean"
            settings[name] = text.lower() in ("1", "t", "true") if boolean else text
    return settings | dict(flags)


def _run(invocation: Invocation, settings: Mapping[str, Any]) -> None:
    if settings.get("format", "plain") not in ("plain", "json"):
        raise Refusal(f"the format is plain or json, not {settings['format']}")
    as_json = bool(settings.get("json")) or settings.get("format") == "json"
    printer = Printer(as_json=as_json, quiet=bool(settings.get("quiet")))
    if invocation.command == "version":
        _print_version(printer)
        return
    if invocation.command not in PLAYED:
        raise Refusal(f"the double does not play mmctl {invocation.command}")
    if INTERFACE["mmctl"]["commands"][invocation.command].get("only") == "remote" and settings.get("local"):
        print("This command cannot be run in local mode", file=sys.stderr)
        sys.exit(1)
    if not settings.get("local"):
        print("Warning: No credentials found, assuming --local mode", file=sys.stderr)
    client = Client(Path(str(settings["local-socket-path"])))
    PLAYED[invocation.command](client, printer, invocation)
    printer.flush()
    *_, group, verb = ["", *invocation.command.split()]
    if verb == "list" and not settings.get("no-stat"):
        printer.count(group)


def _print_version(printer: Printer) -> None:
    release = {"Version": VERSION, "BuildDate": "contract double of sovstack", "GitCommit": "double"}
    printer.say("\n".join(["mmctl:", *(f"{name}:\t{value}" for name, value in release.items())]), release)
    printer.flush()
