"""The verbs that touch a deployment's hosts: plan, apply, verify, status, report, destroy."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from provisioner.cli.failure import print_error
from provisioner.cli.terminal import say
from provisioner.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from provisioner.deployment import Observer, Options
    from provisioner.profile import ProfileReading
    from provisioner.reporting.report import Happening, RunReport

_Command = TypeVar("_Command", bound=Callable[..., Any])

_profile = click.argument("profile")
_output = click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", help="How to print the result."
)
_progress = click.option(
    "--progress",
    type=click.Choice(["auto", "live", "plain", "jsonl", "none"]),
    default="auto",
    help="How to show progress on standard error; auto is live on a terminal, plain elsewhere.",
)
_releases_from = click.option(
    "--releases-from",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with release archives, asked before the mirror and upstream.",
)
_allow_doubles = click.option(
    "--allow-doubles", is_flag=True, help="Let test doubles stand in for applications; never for real use."
)

_moved_by_hand = click.option(
    "--moved-by-hand",
    is_flag=True,
    help="Go on where a service with data changes its host: somebody moves the data.",
)

_levels = click.Choice(["standard", "use"])
_level_help = "How deep to verify: use also has throw-away users share files, write to each other and meet."


def _run_options(command: _Command) -> _Command:
    """Add the options that every verb with a run has."""
    return _profile(_output(_progress(command)))


@click.command()
@_run_options
@_releases_from
@_allow_doubles
@_moved_by_hand
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when something would change.")
def plan(
    profile: str,
    output: str,
    progress: str,
    releases_from: Path | None,
    allow_doubles: bool,
    moved_by_hand: bool,
    detailed_exitcode: bool,
) -> int:
    """Show what apply would change, per host and role, with differences. Changes nothing on the hosts.

    It is a prediction: what depends on a step that did not really run cannot be foretold. On a bare host most
    things do.
    """
    from provisioner import deployment

    options = _options(allow_doubles, releases_from, moved_by_hand=moved_by_hand)
    report = _run(profile, progress, lambda reading, observe: deployment.plan(reading, observe, options))
    _print(report, output, diffs=True)
    if report.exit_code == ExitCode.DONE and report.changed and detailed_exitcode:
        return ExitCode.CHANGES_PENDING
    return report.exit_code


@click.command()
@_run_options
@_releases_from
@_allow_doubles
@_moved_by_hand
@click.option("--verify-level", type=_levels, default="standard", help=_level_help)
def apply(
    profile: str,
    output: str,
    progress: str,
    releases_from: Path | None,
    allow_doubles: bool,
    moved_by_hand: bool,
    verify_level: str,
) -> int:
    """Make the hosts what PROFILE says, then verify them. It can be interrupted and run again at any time."""
    from provisioner import deployment

    options = _options(allow_doubles, releases_from, verify_level, moved_by_hand=moved_by_hand)
    report = _run(profile, progress, lambda reading, observe: deployment.apply(reading, observe, options))
    _print(report, output)
    return report.exit_code


@click.command()
@_run_options
@click.option("--level", type=_levels, default="standard", help=_level_help)
def verify(profile: str, output: str, progress: str, level: str) -> int:
    """Test the running deployment, on the hosts and from outside. Changes nothing that lasts.

    A check that could not be made counts as one that did not pass.
    """
    from provisioner import deployment

    options = _options(allow_doubles=False, releases_from=None, level=level)
    report = _run(profile, progress, lambda reading, observe: deployment.verify(reading, observe, options))
    _print(report, output)
    return report.exit_code


@click.command()
@_run_options
@click.option("--yes", is_flag=True, help="Do not ask for the deployment's name.")
def destroy(profile: str, output: str, progress: str, yes: bool) -> int:
    """Remove from the hosts what apply installed: services, configuration and all data. The hosts stay.

    Secrets and reports on this computer stay as well.
    """
    from provisioner import deployment

    reading = _read(profile)
    if not yes:
        hosts = ", ".join(f"{name} ({host.address})" for name, host in reading.profile.hosts.items())
        say(f"This removes all services and ALL DATA of {reading.deployment} from {hosts}.", err=True)
        click.echo(f"Type the deployment's name ({reading.deployment}) to go on: ", nl=False, err=True)
        if sys.stdin.readline().strip() != reading.deployment:
            raise UsageError(
                "that is not the deployment's name; nothing was removed",
                hint="where nobody can answer, --yes goes on without asking",
            )
    options = _options(allow_doubles=False, releases_from=None)
    report = _run(reading, progress, lambda reading, observe: deployment.destroy(reading, observe, options))
    _print(report, output)
    return report.exit_code


@click.command()
@_profile
@_output
@click.option("--runs", type=click.IntRange(min=0), default=5, help="How many past runs to show.")
def status(profile: str, output: str, runs: int) -> None:
    """Show the last runs, whether the hosts answer, and versions. Takes no lock, changes nothing."""
    from provisioner.deployment.status import look, to_text

    found = look(_read(profile), runs)
    click.echo(json.dumps(found.to_dict(), indent=2) if output == "json" else to_text(found))


@click.command()
@_profile
@click.argument("run", required=False)
@click.option(
    "--output",
    type=click.Choice(["text", "json", "html", "md", "junit"]),
    default="text",
    help="Form of the report.",
)
def report(profile: str, run: str | None, output: str) -> None:
    """Print the report of RUN, or of the newest run. RUN may be the beginning of its name."""
    from provisioner.deployment import history
    from provisioner.engine.workspace import Workspace
    from provisioner.reporting.summary import summarize
    from provisioner.reporting.writers import FORMS

    found = history.find(Workspace(_read(profile).folder), run)
    if output == "text":
        say(summarize(found, diffs=True))
        if found.error:
            print_error(found.error)
    else:
        click.echo(FORMS[output][1](found), nl=False)


def _read(profile: str) -> ProfileReading:
    from provisioner.profile import find_profile, read_profile

    reading = read_profile(find_profile(profile))
    for problem in reading.warnings:
        say(str(problem), err=True)
    return reading


def _options(
    allow_doubles: bool, releases_from: Path | None, level: str = "standard", *, moved_by_hand: bool = False
) -> Options:
    from provisioner.deployment import Level, Options

    transport = os.environ.get("SOVSTACK_TRANSPORT") or None
    return Options(allow_doubles, releases_from, transport, Level(level), moved_by_hand)


def _run(
    profile: str | ProfileReading, progress: str, verb: Callable[[ProfileReading, Observer], RunReport]
) -> RunReport:
    reading = _read(profile) if isinstance(profile, str) else profile
    renderer = _renderer(progress)

    def observe(happening: Happening) -> None:
        nonlocal renderer
        if renderer:
            try:
                renderer.add(happening)
            except OSError:  # nobody reads any more, or the disk behind the log is full: the run goes on
                renderer = None

    try:
        return verb(reading, observe)
    finally:
        if renderer:
            renderer.close()


def _renderer(progress: str) -> Any:  # noqa: ANN401  the renderers share a shape, not a base
    if progress == "auto":
        terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and "CI" not in os.environ
        progress = "live" if terminal else "plain"
    if progress == "live":
        from provisioner.reporting.live import LiveRenderer

        return LiveRenderer(sys.stderr)
    if progress == "plain":
        from provisioner.reporting.plain import PlainRenderer

        return PlainRenderer(sys.stderr)
    if progress == "jsonl":
        from provisioner.reporting.jsonl import JsonLinesRenderer

        return JsonLinesRenderer(sys.stderr)
    return None


def _print(report: RunReport, output: str, *, diffs: bool = False) -> None:
    """Print the result on stdout, the error on stderr, and last where everything was written."""
    from provisioner.reporting.summary import summarize
    from provisioner.reporting.writers import render_json

    if output == "json":
        click.echo(render_json(report), nl=False)
    else:
        say(summarize(report, diffs=diffs))
        if report.error:
            print_error(report.error)
    click.echo(f"report: {report.directory}", err=True)
