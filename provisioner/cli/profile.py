"""The verbs that concern the profile itself: init, validate, schema, render. None of them contacts a host."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from provisioner.cli.terminal import say
from provisioner.errors import ExitCode, Unavailable

_FORMAT_VERSION = 1
_output = click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", help="How to print the result."
)


@click.command()
@click.argument("name")
@click.option("--organisation", metavar="NAME", help="Name of the organisation.")
@click.option("--domain", metavar="DOMAIN", help="Its domain.")
@click.option("--country", metavar="CODE", help="Its country, ISO 3166-1.")
@click.option("--contact", metavar="ADDRESS", help="Mail address of who runs the suite.")
@click.option("--users", type=click.IntRange(min=1), metavar="N", help="How many people use it.")
@click.option("--level", metavar="LEVEL", help="Sovereignty: on-premise, eu-owned, eu-located or none.")
@click.option("--address", metavar="ADDRESS", help="Address of the host.")
@click.option("--provider", metavar="NAME", help="Who runs the host: on-premise, or a provider.")
@click.option("--location", metavar="CODE", help="Country where the host stands.")
@click.option("--hostname", metavar="NAME", help="Host name of the files service.")
@_output
def init(name: str, organisation: str | None, output: str, **answers: str | int | None) -> None:
    """Begin a deployment: write inventories/NAME with its profile and its secrets file.

    What is not given is written as a placeholder to edit. Nothing that exists is overwritten.
    """
    from provisioner.profile import scaffold

    given: dict[str, Any] = {key: value for key, value in answers.items() if value is not None}
    if organisation is not None:
        given["name"] = organisation
    made = scaffold.create(name, scaffold.Answers(**given))
    if output == "json":
        _print_json(
            {
                "deployment": name,
                "profile": str(made.profile),
                "secrets": str(made.secrets),
                "vault_password_file": str(made.password_file),
                "warnings": [problem.to_dict() for problem in made.warnings],
            }
        )
        return
    say(f"{made.profile}  the profile, for you to edit and to keep in version control")
    say(f"{made.secrets}  generated secrets, encrypted; keep them beside the profile")
    say(f"{made.password_file}  their password; keep a copy in a safe place, and out of version control")
    for problem in made.warnings:
        say(str(problem))
    click.echo("next:")
    click.echo(f"  edit {made.profile}")
    for verb, why in (
        ("validate", "says what is missing"),
        ("plan", "shows what would change on the hosts"),
        ("apply", "makes it so, and verifies it"),
    ):
        click.echo(f"  {f'sovstack {verb} {name}':<{len('sovstack validate ') + len(name)}}  {why}")


@click.command()
@click.argument("profile")
@_output
def validate(profile: str, output: str) -> int:
    """Check PROFILE: a file, a folder, or the name of a deployment.

    Prints every problem with its place and its remedy. Exit code 0: it can be used, perhaps with warnings;
    3: it cannot.
    """
    from provisioner.profile import InvalidProfile, find_profile, list_problems, read_profile

    try:
        reading = read_profile(find_profile(profile))
        problems = reading.warnings
        code, summary = ExitCode.DONE, f"{reading.file}: valid"
    except InvalidProfile as error:
        problems = error.problems
        code, summary = ExitCode.PROFILE_INVALID, error.message
    if output == "json":
        shown = [problem.to_dict() for problem in problems]
        _print_json({"valid": code is ExitCode.DONE, "problems": shown})
    else:
        say("\n".join([list_problems(problems), summary] if problems else [summary]))
    return code


@click.command()
@click.option(
    "--output",
    type=click.Choice(["json", "markdown"]),
    default="json",
    help="A JSON Schema, or docs/profile.md.",
)
def schema(output: str) -> None:
    """Print the JSON Schema of a profile, so that editors complete and check it."""
    from provisioner.profile import reference

    click.echo(reference.render_json_schema() if output == "json" else reference.render_markdown(), nl=False)


@click.command()
@click.argument("profile")
@click.option(
    "--to", "folder", type=click.Path(path_type=Path, file_okay=False), help="Write files there instead."
)
@_output
def render(profile: str, folder: Path | None, output: str) -> None:
    """Print the inventory that PROFILE gives, with secrets masked.

    It is what `apply` uses, but for paths and digests of release archives, which `apply` obtains and checks, and for
    sizes of hosts whose memory the profile does not declare, which `apply` reads from them.
    """
    from provisioner import inventory
    from provisioner.deployment.steps import recorded_keys
    from provisioner.profile import find_profile, read_profile, secrets
    from provisioner.releases.catalogue import Catalogue

    reading = read_profile(find_profile(profile))
    releases = {
        release.name: inventory.ReleaseRef(release.own_version, "(from apply)", "(from apply)")
        for release in inventory.wanted_releases(reading.profile, Catalogue.load())
    }
    files = inventory.build(
        reading.profile,
        releases,
        deployment=reading.deployment,
        recorded_keys=recorded_keys(reading.profile, reading.folder),
    ).files()
    names = [name for need in secrets.needs(reading.profile) for name in need.names]
    files["group_vars/all/secrets.yml"] = {"stack_secrets": dict.fromkeys(names, "***")}
    if folder is not None:
        _write(folder, {name: inventory.dump(content) for name, content in files.items()})
    if output == "json":
        _print_json({"files": files})
    elif folder is None:
        click.echo(
            "\n".join(f"# {name}\n{inventory.dump(content)}" for name, content in files.items()), nl=False
        )


def _print_json(content: Mapping[str, Any]) -> None:
    click.echo(json.dumps({"format_version": _FORMAT_VERSION, **content}, indent=2, ensure_ascii=False))


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    try:
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            click.echo(path, err=True)
    except OSError as error:
        raise Unavailable(f"cannot write to {folder}", details=str(error)) from None
