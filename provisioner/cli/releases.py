"""``sovstack releases``: what gets installed, from where, and how it was checked."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

from provisioner.cli.terminal import say
from provisioner.errors import ExitCode, ReleaseNotTrusted, UsageError
from provisioner.profile import chat_values
from provisioner.profile.values import MalformedValue
from provisioner.releases.cache import Cache, Entry
from provisioner.releases.catalogue import NEEDS, Catalogue, Release, plugins
from provisioner.releases.debian import find_package
from provisioner.releases.fit import find_misfits
from provisioner.releases.gates import Gate
from provisioner.releases.obtaining import ObtainedRelease, Sources, obtain
from provisioner.releases.obtaining import trust as admit
from provisioner.releases.progress import Progress

_OUTPUT = click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", help="How to print the result."
)
_KEY = click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the vendor's OpenPGP key, instead of the one beside the archive. "
    "Only a key with the catalogue's fingerprint counts.",
)
_EDITION = click.option(
    "--edition",
    help="Which of the vendor's builds, where there are several; otherwise the catalogue's first.",
)
_FORMAT_VERSION = 1
_PLAIN_INTERVAL = 5.0  # seconds between two lines about the same thing


@click.group()
def releases() -> None:
    """What gets installed, from where, and how it was checked.

    Archives are kept in the release cache (SOVSTACK_CACHE_DIR moves it). Nothing enters it that fails a
    check.
    """


@releases.command("list")
@click.argument("application", required=False)
@_OUTPUT
def list_releases(application: str | None, output: Literal["text", "json"]) -> None:
    """Show the catalogue: what each release needs, and what the cache holds of it; and the plugins in the cache."""
    catalogue = Catalogue.load()
    if application:
        catalogue.release(application)
    cache = Cache()
    rows = [
        _describe(catalogue, release, cache.find(release))
        for name in catalogue.applications
        if application in (None, name)
        for release in catalogue.releases(name)
    ]
    rows += [
        _describe_plugin(entry)
        for entry in _entries(cache, application)
        if entry.application == plugins.APPLICATION
    ]
    if output == "json":
        _print_json({"releases": rows})
        return
    for row in rows:
        say(_format_row(row))


@releases.command()
@click.argument("application")
@click.argument("version", required=False)
@click.option(
    "--releases-from",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with archives, signatures and keys, asked before anything else.",
)
@click.option("--mirror", metavar="URL", help="The URL (http, https, file) of such a folder.")
@click.option("--upstream/--no-upstream", default=True, help="Whether the vendor may be asked.")
@_EDITION
@_KEY
@_OUTPUT
def fetch(
    application: str,
    version: str | None,
    releases_from: Path | None,
    mirror: str | None,
    upstream: bool,
    edition: str | None,
    key: Path | None,
    output: Literal["text", "json"],
) -> None:
    """Fetch one release into the cache, checked; an interrupted download continues where it stopped.

    A release of several packages is fetched whole.
    """
    archives = Catalogue.load().archives(application, version, edition)
    sources = Sources(releases_from, mirror, upstream=upstream, key=key)
    with _Screen() as screen:
        obtained = [obtain(release, Cache(), sources, screen.show) for release in archives]
    _print_obtained(obtained, output)


@releases.command()
@click.argument("application")
@click.argument("version")
@click.argument("archive", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--reason", required=True, help="Why this archive is accepted; kept in the cache and in reports."
)
@click.option(
    "--plugin",
    metavar="ID",
    help="ARCHIVE is the plugin of Mattermost with this id; VERSION is the plugin's own.",
)
@_EDITION
@_KEY
@_OUTPUT
def trust(
    application: str,
    version: str,
    archive: Path,
    reason: str,
    plugin: str | None,
    edition: str | None,
    key: Path | None,
    output: Literal["text", "json"],
) -> None:
    """Admit an archive that the checks call incomplete, on your word.

    What you accept is printed and recorded, with your account, the time and the reason. Altered files, and
    files that may be run and that nobody signed, are refused all the same. Of a release of several packages
    ARCHIVE is one; it says itself which. A plugin has to be the one that --plugin and VERSION say.
    """
    if plugin:
        release = _plugin(application, plugin, version, given=edition or key)
    else:
        archives = Catalogue.load().archives(application, version, edition)
        release = archives[0] if len(archives) == 1 else find_package(archive, archives)
    with _Screen() as screen:
        obtained = admit(release, archive, Cache(), why=reason, key=key, report=screen.show)
    _print_obtained([obtained], output)


@releases.command()
@click.argument("application", required=False)
@click.argument("version", required=False)
@_OUTPUT
def verify(application: str | None, version: str | None, output: Literal["text", "json"]) -> None:
    """Read cached archives again and compare them with what was admitted; exit 7 on damage."""
    cache = Cache()
    chosen = [entry for entry in _entries(cache, application) if version in (None, entry.version)]
    if application and not chosen:
        catalogue = Catalogue.load()
        if version not in {None, *(release.version for release in catalogue.releases(application))}:
            catalogue.release(application, version)  # which says what there is
    results = [(entry, cache.is_intact(entry)) for entry in chosen]
    if output == "json":
        _print_json({"releases": [{**asdict(entry), "intact": intact} for entry, intact in results]})
    else:
        for entry, intact in results:
            click.echo(
                f"{entry.application} {entry.version}  {'intact' if intact else 'DAMAGED'}  {entry.sha256}  "
                f"{entry.file_name}"
            )
        if not results:
            click.echo("the cache holds nothing of it", err=True)
    damaged = [cache.path(entry) for entry, intact in results if not intact]
    if damaged and output == "json":
        click.get_current_context().exit(ExitCode.RELEASE_NOT_TRUSTED)  # the document says which
    if damaged:
        raise ReleaseNotTrusted(
            f"{len(damaged)} archives in the release cache are damaged or gone",
            details="\n".join(str(path) for path in damaged),
            hint="obtain them again with sovstack releases fetch, or sovstack releases trust",
        )


def _plugin(application: str, plugin: str, version: str, *, given: object) -> Release:
    if application != "mattermost" or given:
        raise UsageError(
            "--plugin is for a plugin of mattermost, which has no edition and no key",
            hint=f"sovstack releases trust mattermost VERSION ARCHIVE --plugin {plugin} --reason TEXT",
        )
    try:
        chat_values.check_plugin_id(plugin)
        chat_values.check_plugin_version(version)
    except MalformedValue as error:
        raise UsageError(f"{plugin} {version} {error.message}", hint=error.hint) from error
    return plugins.make_release(plugin, version)


def _entries(cache: Cache, application: str | None) -> list[Entry]:
    """Return what the cache holds of an application, its plugins among it; of everything without one."""
    meant = {application, plugins.APPLICATION if application == "mattermost" else application}
    return [entry for entry in cache.entries() if application is None or entry.application in meant]


def _describe_plugin(entry: Entry) -> dict[str, Any]:
    release = plugins.make_release(plugins.id_of(entry.file_name, entry.version), entry.version)
    return {
        "application": release.application,
        "version": release.version,
        "plugin": release.plugin,
        "package": None,
        "edition": None,
        "default": False,
        "licence": release.licence,
        "cached": _describe_cached(entry),
    }


def _describe_cached(entry: Entry) -> dict[str, Any]:
    return {
        "sha256": entry.sha256,
        "origin": entry.origin,
        "obtained_at": entry.obtained_at,
        "gates": [asdict(gate) for gate in entry.gates],
        "trust": asdict(entry.trust) if entry.trust else None,
    }


def _describe(catalogue: Catalogue, release: Release, entry: Entry | None) -> dict[str, Any]:
    return {
        "application": release.application,
        "version": release.version,
        "plugin": None,
        "package": asdict(release.package) if release.package else None,
        "edition": release.edition,
        "default": catalogue.is_default(release),
        "licence": release.licence,
        "vendor": asdict(release.vendor),
        "url": release.url,
        "sha256": release.digest.sha256 if release.digest else None,
        "signing_key": release.signing_key.fingerprint if release.signing_key else None,
        **{name: str(release.needs[name]) if name in release.needs else None for name in NEEDS},
        "debian": [number for number in catalogue.platforms if not find_misfits(release, debian=number)],
        "upgrades_from": sorted(release.upgrades_from),
        "end_of_life": release.end_of_life.isoformat() if release.end_of_life else None,
        "cached": _describe_cached(entry) if entry else None,
    }


def _format_row(row: dict[str, Any]) -> str:
    head = f"{row['application']} {row['plugin']} {row['version']}" if row["plugin"] else _format_release(row)
    return "\n".join([head, *_format_cached(row["cached"])])


def _format_release(row: dict[str, Any]) -> str:
    debian = ", ".join(str(number) for number in row["debian"]) or "none"
    ends = f", supported to {row['end_of_life']}" if row["end_of_life"] else ""
    default = " (default)" if row["default"] else ""
    edition = "" if row["edition"] == "community" else f" {row['edition']}"
    part = f" {row['package']['name']} {row['package']['version']}" if row["package"] else ""
    needs = ", ".join(f"{called} {row[name]}" for name, called in NEEDS.items() if row[name])
    return f"{row['application']} {row['version']}{part}{edition}{default}: {needs}, Debian {debian}{ends}"


def _format_cached(cached: dict[str, Any] | None) -> Iterator[str]:
    if not cached:
        return
    yield f"    cached {cached['obtained_at']} from {cached['origin']}, sha256 {cached['sha256']}"
    if record := cached["trust"]:
        yield f"    trusted by {record['who']} on {record['when']}: {record['why']}"
        yield f"    accepting {record['accepts']}"


def _print_obtained(found: Sequence[ObtainedRelease], output: Literal["text", "json"]) -> None:
    if output == "json":
        _print_json({"archives": [_describe_obtained(obtained) for obtained in found]})
        return
    for obtained in found:
        _show_obtained(obtained)


def _describe_obtained(obtained: ObtainedRelease) -> dict[str, Any]:
    release = obtained.release
    return {
        "application": release.application,
        "version": release.version,
        "plugin": release.plugin or None,
        "package": asdict(release.package) if release.package else None,
        "edition": release.edition,
        "path": str(obtained.path),
        "sha256": obtained.sha256,
        "origin": obtained.origin,
        "gates": [asdict(gate) for gate in obtained.gates],
        "trust": asdict(obtained.trust) if obtained.trust else None,
    }


def _show_obtained(obtained: ObtainedRelease) -> None:
    say(f"{obtained.release.title} from {obtained.origin}: {obtained.path}")
    for gate in obtained.gates:
        say(_format_gate(gate))
    if obtained.trust:
        record = obtained.trust
        say(f"  trusted by {record.who} on {record.when}: {record.why}")
        say(f"  accepting {record.accepts}")


def _format_gate(gate: Gate) -> str:
    lines = [f"  {gate.name}: {gate.verdict}, {gate.summary}"]
    return "\n".join([*lines, *(f"    {detail}" for detail in gate.details)])


def _print_json(document: dict[str, Any]) -> None:
    click.echo(json.dumps({"format_version": _FORMAT_VERSION, **document}, indent=2))


class _Screen:
    """Progress on standard error: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None
        self._text = ""
        self._printed = 0.0

    def __enter__(self) -> _Screen:
        self._bars.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._bars.stop()

    def show(self, progress: Progress) -> None:
        """Show one step of the work."""
        if not self._console.is_terminal:
            self._print(progress)
            return
        counted = progress.unit == "bytes" and progress.done is not None
        if progress.text != self._text or self._task is None:
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._task = self._bars.add_task(progress.text, total=progress.total if counted else None)
            self._text = progress.text
        if counted:
            self._bars.update(self._task, completed=progress.done, total=progress.total)

    def _print(self, progress: Progress) -> None:
        if progress.text == self._text and time.monotonic() - self._printed < _PLAIN_INTERVAL:
            return
        self._text, self._printed = progress.text, time.monotonic()
        share = f" {progress.done / progress.total:.0%}" if progress.done and progress.total else ""
        click.echo(f"{progress.text}{share}", err=True)
