"""What the bench installs of each application: the real release where it is to be had, else its contract double."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
SOVSTACK = CHECKOUT / ".venv" / "bin" / "sovstack"


@dataclass(frozen=True, slots=True)
class Release:
    """Of one application.

    Attributes:
        application: Its name in the catalogue.
        version: What the profile has to ask for; None is the catalogue's default.
        archives: One, or the several packages of a release.
        double: Whether they are a contract double.
    """

    application: str
    version: str | None
    archives: tuple[Path, ...]
    double: bool


def choose(application: str, doubles: Path, *, always_double: bool) -> Release:
    """Return the default release from cache or upstream, else the newest in the cache, else a double.

    Args:
        application: Name in the catalogue.
        doubles: Folder in which a double is built.
        always_double: Whether real releases are passed over.
    """
    if not always_double:
        for version in (None, *_cached_versions(application)):
            if archives := _fetch(application, version):
                return Release(application, version, archives, double=False)
    return Release(application, None, _build_double(application, doubles), double=True)


def _cached_versions(application: str) -> Iterator[str]:
    """Yield the versions that the release cache has something of, the newest first."""
    command = [str(SOVSTACK), "releases", "list", "--output", "json"]
    listed = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    found = {
        release["version"]
        for release in listed["releases"]
        if release["application"] == application and release["cached"]
    }
    yield from sorted(found, key=lambda version: [int(part) for part in version.split(".")], reverse=True)


def _fetch(application: str, version: str | None) -> tuple[Path, ...]:
    """Return the checked archives of a release; none where it is not to be had."""
    command = [str(SOVSTACK), "releases", "fetch", application, *([version] if version else [])]
    fetched = subprocess.run([*command, "--output", "json"], stdout=subprocess.PIPE, text=True)
    if fetched.returncode != 0:
        return ()
    return tuple(Path(archive["path"]) for archive in json.loads(fetched.stdout)["archives"])


def _build_double(application: str, folder: Path) -> tuple[Path, ...]:
    build = CHECKOUT / "tests" / "doubles" / application / "build.py"
    command = [sys.executable, str(build), "--output", str(folder)]
    built = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return tuple(Path(line) for line in built.splitlines())
