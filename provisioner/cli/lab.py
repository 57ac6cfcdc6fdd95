"""``sovstack lab``: Debian machines on this computer."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import Literal

import click

from provisioner.errors import UsageError
from provisioner.lab import lifecycle, record, wait

_OUTPUT = click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", help="How to print the result."
)


@click.group()
def lab() -> None:
    """Debian machines on this computer, to try it all without owning a server.

    Needs root. Machines survive this command, and are removed without a trace by `down`.
    """


@lab.command()
@click.argument("name", metavar="[LAB]", default="default")
@click.option(
    "--debian", "release", type=click.Choice(["12", "13"]), help="Release of new machines [default: 13]."
)
@click.option(
    "--machines", type=click.IntRange(min=1), help="How many machines the lab shall have [default: 1]."
)
@click.option(
    "--memory", type=click.IntRange(min=256), metavar="MEGABYTES", help="Limit of each new machine."
)
@click.option("--subnet", metavar="10.77.K.0/24", help="Addresses of a new lab [default: a free one].")
@_OUTPUT
def up(
    name: str,
    release: str | None,
    machines: int | None,
    memory: int | None,
    subnet: str | None,
    output: Literal["text", "json"],
) -> None:
    """Start a lab, or what it lacks; return when its machines answer over SSH."""
    lifecycle.up(
        name,
        machines=machines,
        release=int(release) if release else None,
        subnet=subnet,
        memory_megabytes=memory,
        progress=lambda line: click.echo(line, err=True),
    )
    _print([machine for machine in lifecycle.listing() if machine.lab == name], output)


@lab.command()
@click.argument("name", metavar="[LAB]", required=False)
@click.option("--all", "everything", is_flag=True, help="Every lab of this user.")
def down(name: str | None, everything: bool) -> None:
    """Remove a lab: machines, disks, network."""
    if everything and name:
        raise UsageError("give a lab or --all, not both")
    names = [found.name for found in record.load_all()] if everything else [name or "default"]
    for one in names:
        lifecycle.down(one)
        click.echo(f"lab {one} is down", err=True)


@lab.command("list")
@_OUTPUT
def list_machines(output: Literal["text", "json"]) -> None:
    """Show all labs and their machines."""
    _print(lifecycle.listing(), output)


@lab.command(context_settings={"ignore_unknown_options": True})
@click.argument("name", metavar="[LAB]", default="default")
@click.argument("number", metavar="[MACHINE]", type=int, default=1)
@click.argument("command", metavar="[-- COMMAND...]", nargs=-1)
def ssh(name: str, number: int, command: tuple[str, ...]) -> None:
    """Log in on a machine as root, or run a command there."""
    found = record.require(name)
    found.machine(number)
    arguments = [*wait.ssh_command(found, number), *command]
    os.execvp(arguments[0], arguments)  # noqa: S606  the command becomes ssh: its terminal, its exit code


def _print(machines: list[lifecycle.MachineStatus], output: str) -> None:
    if output == "json":
        click.echo(
            json.dumps({"format_version": 1, "machines": [asdict(machine) for machine in machines]}, indent=2)
        )
        return
    for machine in machines:
        click.echo(
            f"{machine.lab:<16} {machine.number:>3}  {machine.hostname:<20} {machine.address:<15} "
            f"Debian {machine.release}  {machine.state}"
        )
