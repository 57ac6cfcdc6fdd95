#!/usr/bin/python
"""Ansible module: a release of an application, unpacked whole or not at all."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: release_unpacked
short_description: Unpack a release archive of the controller into a folder of its own
description:
  - Hands the archive over where the release is not there yet, unpacks it beside its destination, holds it against what
    was asked for, and renames it into place, so that a release folder is always complete and is what its name says.
  - Can begin ahead, in the background, with what takes long and needs nothing of the host; whoever places the release
    then waits for it, and does by itself what did not come about.
  - Removes what a killed run left, and the archive once it is not needed any more.
options:
  path: {description: Archive on the controller (tar with gzip, bzip2, zstandard or xz)., type: path, required: true}
  sha256: {description: Digest that the archive must have; compared on the host., type: str, required: true}
  dest: {description: Folder of the release; its name must be that of no other archive., type: path, required: true}
  ahead:
    description: Only begin, and go on; where C(async) allows that, in the background. What it does is no change yet.
    type: bool
    default: false
  remove:
    description: Files of the release that must not be there.
    type: list
    elements: str
    default: []
  links: {description: "Links to make in the release, {name: target}.", type: dict, default: {}}
  probe:
    description: Command, run in the release's folder, that must succeed.
    type: list
    elements: str
    default: []
  expect:
    description: Lines that the command must print.
    type: list
    elements: str
    default: []
author: [sovstack]
"""

EXAMPLES = r"""
- name: Unpack the release
  release_unpacked:
    path: /srv/releases/mattermost-team-11.7.9-linux-amd64.tar.gz
    sha256: df9b...
    dest: /opt/mattermost/releases/11.7.9-df9b6a42c1e7
    probe: [./bin/mattermost, version]
    expect: ["Version: 11.7.9"]
"""

RETURN = r"""
wanted:
  description: What is still to be done; only the action plugin sees it. Any of C(archive) and C(release).
  returned: when asked
  type: list
  elements: str
"""

import bz2
import contextlib
import fcntl
import gzip
import json
import lzma
import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from typing import IO

from ansible.module_utils.basic import AnsibleModule

# First bytes of a file -> programs that decompress it, the one that uses all processors first, and what Python has for
# a host on which none of them is installed yet. The name of a cached file says nothing.
DECOMPRESSORS = {
    b"BZh": (("lbzip2", "bzip2"), bz2.open),
    b"\x1f\x8b": (("pigz", "gzip"), gzip.open),
    b"\x28\xb5\x2f\xfd": (("zstd",), None),
    b"\xfd7zXZ": (("xz",), lzma.open),
}


# Where Ansible keeps a file about each task that it began in the background, for good.
JOBS = pathlib.Path("~/.ansible_async")


class Unusable(Exception):
    """The archive cannot become the release; the message says why."""


def missing_lines(expected: list[str], output: str) -> list[str]:
    """The expected lines that are not in the output, whatever blanks stand around them."""
    printed = {line.strip() for line in output.splitlines()}
    return [line for line in expected if line not in printed]


@contextlib.contextmanager
def decompressed(archive: pathlib.Path) -> Iterator[IO[bytes]]:
    """The tar stream in a compressed archive.

    Raises:
        Unusable: Nothing here knows how to decompress it.
    """
    with archive.open("rb") as file:
        head = file.read(8)
    for magic, (programs, reader) in DECOMPRESSORS.items():
        if not head.startswith(magic):
            continue
        if program := next(filter(None, map(shutil.which, programs)), None):
            command = [program, "--decompress", "--stdout", str(archive)]
            with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
                yield process.stdout
            return
        if reader is None:
            raise Unusable(f"none of {', '.join(programs)} is installed to unpack it")
        with reader(archive) as stream:
            yield stream
        return
    raise Unusable("it is not a compressed tar archive")


def unpack(archive: pathlib.Path, folder: pathlib.Path) -> None:
    """Unpack an archive's one top folder as `folder`, which does not exist yet.

    Raises:
        Unusable: It cannot be unpacked. Something may be left in the folder.
    """
    folder.mkdir()
    command = ["tar", "--extract", "--file=-", f"--directory={folder}", "--strip-components=1",
               "--no-same-owner", "--no-same-permissions"]  # fmt: skip
    before = os.umask(0o022)
    try:
        with (
            decompressed(archive) as stream,
            tempfile.TemporaryFile("w+") as messages,  # of a full disk there is one for each file
            subprocess.Popen(command, stdin=subprocess.PIPE, stderr=messages) as tar,
        ):
            with contextlib.suppress(BrokenPipeError), tar.stdin:  # tar says itself what it stopped at
                shutil.copyfileobj(stream, tar.stdin, 2**20)
            tar.wait()
            messages.seek(0)
            said = messages.readline().strip()
    except (EOFError, OSError, lzma.LZMAError) as problem:
        raise Unusable(f"it could not be unpacked: {problem}") from problem
    finally:
        os.umask(before)
    if tar.returncode != 0:
        raise Unusable(f"it could not be unpacked: {said}")


class Release:
    """The release on this host: its folder, and beside it what it comes from."""

    def __init__(self, module: AnsibleModule) -> None:
        """Take the paths from the module's arguments."""
        self.module = module
        self.ahead: bool = module.params["ahead"]
        self.dest = pathlib.Path(module.params["dest"])
        self.archive = self.dest.parent / f".archive-{self.dest.name}"
        # Whole and on the disk, but not yet held against what was asked for.
        self.whole = self.dest.parent / f".unpacked-{self.dest.name}"

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Wait for whoever is at work here, be it what an earlier run left in the background, and keep others out."""
        self.dest.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = os.open(self.dest.parent, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def wanted(self) -> list[str]:
        """What is still to be done."""
        if self.dest.is_dir() or (self.ahead and self.whole.is_dir()):
            return []
        return ["release"] if self.whole.is_dir() or self.archive.exists() else ["archive", "release"]

    def leftovers(self) -> list[pathlib.Path]:
        """What has served its purpose, or was cut off, of this release or of others."""
        patterns = (".archive-*", ".partial-*", ".unpacked-*")
        found = [path for pattern in patterns for path in self.dest.parent.glob(pattern)]
        return [path for path in found if self.dest.is_dir() or path not in {self.archive, self.whole}]

    def clear(self) -> None:
        """Remove the leftovers."""
        for path in self.leftovers():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def forget(self) -> None:
        """Remove what Ansible noted about having begun ahead, once that has come to its end."""
        folder = JOBS.expanduser()
        for job in folder.glob("*"):
            # One that still goes on has no invocation; a later run finds it.
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                begun = json.loads(job.read_text())["invocation"]["module_args"]["dest"]
                if pathlib.Path(begun).parent == self.dest.parent:  # another release of the application, too
                    job.unlink()
        with contextlib.suppress(OSError):  # it may hold somebody else's, or never have been there
            folder.rmdir()

    def take(self, delivered: pathlib.Path) -> None:
        """Take the archive that was handed over."""
        partial = self.dest.parent / f".partial-archive-{self.dest.name}"
        shutil.move(delivered, partial)
        partial.rename(self.archive)

    def unpack(self) -> None:
        """Have the whole release beside its destination, on the disk.

        Raises:
            Unusable: The archive is another, or cannot be unpacked.
        """
        if self.whole.is_dir():
            return
        self.clear()
        if self.module.sha256(str(self.archive)) != self.module.params["sha256"]:
            self.archive.unlink()
            raise Unusable("it is not the one that was checked: its SHA-256 differs")
        partial = self.dest.parent / f".partial-{self.dest.name}"
        unpack(self.archive, partial)
        os.sync()  # the name must not outlive the content when the power fails
        partial.rename(self.whole)

    def judge(self) -> None:
        """Hold the whole release against what was asked for.

        Raises:
            Unusable: It is something else, or does not run here.
        """
        if not (probe := self.module.params["probe"]):
            return
        said = f"`{' '.join(probe)}` in it"
        status, output, errors = self.module.run_command(probe, cwd=str(self.whole))
        if status != 0:
            raise Unusable(f"{said} ended with {status}: {(errors or output).strip()}")
        if missing := missing_lines(self.module.params["expect"], output):
            raise Unusable(f"{said} does not say {'; '.join(missing)}")

    def place(self) -> None:
        """Put the whole release into place."""
        for name in self.module.params["remove"]:
            (self.whole / name).unlink(missing_ok=True)
        for name, target in self.module.params["links"].items():
            with contextlib.suppress(FileExistsError):  # made by a run that was cut off right here
                (self.whole / name).symlink_to(target)
        self.whole.rename(self.dest)

    def do(self) -> None:
        """Do all that is still to be done, or of it what needs nothing of the host.

        Raises:
            Unusable: The archive does not become what was asked for. Nothing is left of it.
        """
        try:
            if self.wanted():
                self.unpack()
                if self.ahead:
                    return
                self.judge()
                self.place()
        except Unusable:
            shutil.rmtree(self.whole, ignore_errors=True)
            self.clear()
            raise
        if not self.ahead:
            self.clear()
            self.forget()


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "sha256": {"type": "str", "required": True},
            "dest": {"type": "path", "required": True},
            "ahead": {"type": "bool", "default": False},
            "remove": {"type": "list", "elements": "str", "default": []},
            "links": {"type": "dict", "default": {}},
            "probe": {"type": "list", "elements": "str", "default": []},
            "expect": {"type": "list", "elements": "str", "default": []},
            # The action plugin takes these steps, one after the other.
            "step": {"choices": ["ask", "take", "do"], "default": "ask"},
            "delivered": {"type": "path"},
        },
        supports_check_mode=True,
    )
    release, step = Release(module), module.params["step"]
    before = f"{release.dest}\n" if release.dest.is_dir() else ""
    answer = {
        "changed": bool(release.wanted() or release.leftovers()) and not release.ahead,
        "diff": {"before": before, "after": f"{release.dest}\n"},
    }
    if module.check_mode:
        module.exit_json(**answer)
    with release.alone():
        if step == "take":
            release.take(pathlib.Path(module.params["delivered"]))
        elif step == "ask" and (wanted := release.wanted()):
            answer["wanted"] = wanted
        else:
            try:
                release.do()
            except Unusable as problem:
                module.fail_json(msg=f"{release.dest} cannot come from its archive: {problem}")
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
