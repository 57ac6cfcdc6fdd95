"""Debian packages as release archives: what one is by its control file, and what it would put on a host.

They are read through ``dpkg-deb``, the program that unpacks them on a host too, so that both see the same package.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.parser import HeaderParser
from pathlib import Path
from typing import IO, cast

from provisioner.errors import ReleaseNotTrusted, Unavailable
from provisioner.paths import DOUBLE_MARKER
from provisioner.releases.archive import Inspection, Reading, read, refuse_damage
from provisioner.releases.catalogue import Release
from provisioner.releases.identity import Identity

_CONTROL = "control"
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+:~-]*")  # of names, versions and architectures


def inspect(path: Path, progress: Callable[[int], None] = lambda count: None) -> Inspection:
    """Read the package at ``path`` and return what it holds, with its control file among what is kept.

    Raises:
        ReleaseNotTrusted: The package is damaged or hostile.
        Unavailable: dpkg-deb is not installed.
    """
    control = _read_control(path)
    with _reading(path, "--fsys-tarfile") as stream:
        files = read(stream, _Reading(path.name, lambda name: False), progress)
    name = _field(control, "Package")
    return replace(files, kept=control.kept, marker=f"usr/share/doc/{name}/{DOUBLE_MARKER}")


def identify(inspection: Inspection, release: Release) -> Identity:
    """Return which package of which version it is, by its control file."""
    said = " ".join(_field(inspection, name) for name in ("Package", "Version", "Architecture"))
    wanted = f"{release.name} {release.own_version} all"
    return Identity(said, "" if said == wanted else f"it says that it is {said}, and {wanted} was asked for")


def find_package(path: Path, archives: tuple[Release, ...]) -> Release:
    """Return which of a release's packages the file at ``path`` is, by the name that it gives itself.

    Raises:
        ReleaseNotTrusted: It is none of them, or damaged.
        Unavailable: dpkg-deb is not installed.
    """
    name = _field(_read_control(path), "Package")
    for release in archives:
        if release.name == name:
            return release
    raise ReleaseNotTrusted(
        f"{path.name} is refused: it is the package {name}, and {archives[0].product} has none of that name",
        details=f"it has {', '.join(release.name for release in archives)}",
    )


def _read_control(path: Path) -> Inspection:
    with _reading(path, "--ctrl-tarfile") as stream:
        return read(stream, _Reading(path.name, lambda name: name == _CONTROL), lambda count: None)


def _field(inspection: Inspection, name: str) -> str:
    """Return a field of the control file; a question mark for one that is not there or not of its form."""
    text = inspection.kept.get(_CONTROL, b"").decode(errors="replace")
    value = (HeaderParser().parsestr(text)[name] or "").strip()
    return value if _WORD.fullmatch(value) else "?"


@contextmanager
def _reading(path: Path, part: str) -> Iterator[IO[bytes]]:
    """Have dpkg-deb write one of the package's two tar archives, uncompressed."""
    program = shutil.which("dpkg-deb")
    if program is None:
        raise Unavailable(
            "dpkg-deb is not installed, and Debian packages are read by it", hint="apt install dpkg"
        )
    process = subprocess.Popen(
        [program, part, str(path.absolute())], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        with refuse_damage(path):
            try:
                yield cast("IO[bytes]", process.stdout)
            except tarfile.ReadError as error:  # what came was no tar archive, or nothing
                raise EOFError(_complaint(process) or str(error)) from error
            if complaint := _complaint(process):
                raise EOFError(complaint)
    finally:
        process.kill()
        process.wait()
        for stream in filter(None, (process.stdout, process.stderr)):
            stream.close()


def _complaint(process: subprocess.Popen[bytes]) -> str:
    """Return why dpkg-deb failed; empty when it did not. It ends by itself when nobody reads on."""
    cast("IO[bytes]", process.stdout).close()
    said = cast("IO[bytes]", process.stderr).read().decode(errors="replace").strip()
    return (said or "dpkg-deb failed") if process.wait() else ""


class _Reading(Reading):
    """The rules for a package's entries: their paths count from ``/``, and so may the targets of links."""

    def _below_root(self, member: tarfile.TarInfo) -> str:
        self._root = ""
        if member.name == ".":
            return ""
        path = member.name.removeprefix("./")
        if any(segment in ("", ".", "..") for segment in path.split("/")) or "\0" in path:
            self._refuse(member, "could be written outside the package's place")
        return path

    def _check_link(self, member: tarfile.TarInfo) -> None:
        if member.islnk() and member.linkname.removeprefix("./").startswith(("/", "../")):
            self._refuse(member, f"is a link to {member.linkname}, outside the package")
