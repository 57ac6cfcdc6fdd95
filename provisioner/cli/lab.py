"""``sovstack lab``: Debian machines on this computer."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence

import click

from provisioner.errors import UsageError
from provisioner.lab import lifecycle, record, wait
from provisioner.lab.lifecycle import LabStatus

_output = click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", help="How to print the result."
)


# Where Debian keeps the programs for root, and where a shell of `su` does not look.
_ROOTS_PROGRAMS = "/usr/local/sbin:/usr/sbin:/sbin"


@click.group()
def lab() -> None:
    """Debian machines on this computer, to try it all without owning a server.

    Needs root. Machines survive this command; `down` removes them without a trace.
    """
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:{_ROOTS_PROGRAMS}"


@lab.command()
@click.argument("name", metavar="[LAB]", default="default")
@click.option("--debian", type=click.Choice(["12", "13"]), help="Release of new machines  [default: 13]")
@click.option(
    "--machines", type=click.IntRange(min=1), metavar="N", help="How many it shall have  [default: 1]"
)
@click.option(
    "--memory", type=click.IntRange(min=256), metavar="MEGABYTES", help="Limit of each new machine."
)
@click.option("--subnet", metavar="10.77.K.0/24", help="Addresses of a new lab  [default: a free one]")
@_output
def up(
    name: str, debian: str | None, machines: int | None, memory: int | None, subnet: str | None, output: str
) -> None:
    """Start a lab, or what it lacks; return when its machines answer over SSH."""
    lifecycle.up(
        name,
        machines=machines,
        release=int(debian) if debian else None,
        subnet=subnet,
        memory_megabytes=memory,
        progress=lambda line: click.echo(line, err=True),
    )
    _print([found for found in lifecycle.listing() if found.name == name], output)


@lab.command()
@click.argument("name", metavar="[LAB]", required=False)
@click.option("--all", "every_lab", is_flag=True, help="Every lab of this user.")
def down(name: str | None, every_lab: bool) -> None:
    """Remove a lab: machines, disks, network."""
    if every_lab and name:
        raise UsageError("give the name of a lab, or --all, not both")
    for one in record.names() if every_lab else [name or "default"]:
        removed = lifecycle.down(one)
        click.echo(f"lab {one} is down" if removed else f"there is no lab {one}", err=True)


@lab.command("list")
@_output
def list_labs(output: str) -> None:
    """Show all labs and their machines."""
    _print(lifecycle.listing(), output)


class _RemoteCommand(click.Command):
    """A command whose arguments end at ``--``; what follows is for the other side."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        ctx.obj = args[end + 1 :]
        return super().parse_args(ctx, args[:end])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND...]"]


@lab.command(cls=_RemoteCommand)
@click.argument("name", metavar="[LAB]", default="default")
@click.argument("number", metavar="[MACHINE]", type=int, default=1)
@click.pass_obj
def ssh(remote_command: Sequence[str], name: str, number: int) -> None:
    """Log in on a machine as root, or run a command there."""
    found = record.require(name)
    found.machine(number)
    arguments = [*wait.ssh_command(found, number), *remote_command]
    os.execvp(arguments[0], arguments)  # noqa: S606  the command becomes ssh: its terminal, its exit code


def _print(labs: Sequence[LabStatus], output: str) -> None:
    if output == "json":
        result = {"format_version": 1, "labs": [dataclasses.asdict(found) for found in labs]}
        click.echo(json.dumps(result, indent=2))
        return
    rows: list[tuple[str, ...]] = [
        (
            found.name,
            str(machine.number),
            machine.hostname,
            machine.address,
            f"Debian {machine.debian}",
            machine.state,
        )
        for found in labs
        for machine in found.machines
    ]
    if not rows:
        click.echo("no lab machines; `sovstack lab up` makes one", err=True)
        return
    rows.insert(0, ("LAB", "MACHINE", "HOST NAME", "ADDRESS", "RELEASE", "STATE"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
