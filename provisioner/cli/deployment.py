"""The verbs that touch a deployment's hosts: plan, apply, verify, status, report, destroy."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import click

from provisioner.cli.failure import print_error

_PROFILE = click.argument("profile", type=click.Path(path_type=Path))
_OUTPUT = click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", help="How to print the result."
)


@click.command()
@_PROFILE
@_OUTPUT
@click.option("--allow-doubles", is_flag=True, help="Install test doubles where real releases are missing.")
def apply(profile: Path, output: str, allow_doubles: bool) -> int:
    """Make the hosts what the profile says, then verify."""
    from provisioner import deployment
    from provisioner.reporting.plain import PlainRenderer

    renderer = PlainRenderer(sys.stderr, time.time())
    options = deployment.Options(allow_doubles=allow_doubles, transport=os.environ.get("SOVSTACK_TRANSPORT"))
    report = deployment.apply(profile, renderer.add, options)
    if output == "json":
        click.echo(json.dumps(report.to_dict(), indent=2))
    elif report.error:
        print_error(report.error)
    return report.exit_code
