"""What a deployment leaves on the controller: its lock, one directory per run, and nothing secret.

::

    <state>/deployments/<name>-<8 hex>/
        lock                 flock; its holder's process, verb and start as JSON
        durations-<verb>.json  how long steps took, for the time that is left
        runs/<id>/           0700; events.jsonl, inventory/, ssh_config, report.*
    <memory>/sovstack-<uid>-<8 hex>/
        ...                  what only a running run needs: ansible-runner's files, sockets, the password pipe

The second folder lies in memory where the system offers that (``XDG_RUNTIME_DIR``, ``/dev/shm``): unredacted
results never reach a disk, and a full disk does not stop a run that has begun.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from provisioner.engine.processes import end_marked
from provisioner.errors import Busy, Unavailable
from provisioner.paths import make_private, state_dir, write_private

# A year of monthly changes, each with its plan; older evidence belongs where the organisation archives.
KEPT_RUNS = 25
# The path of a socket may have 107 characters. `/sovstack-<uid>-<8 hex>/<40 hex>` and what ssh adds while it makes
# one need 85 of them.
_LONGEST_PLACE = 22


@dataclass(frozen=True, slots=True)
class Run:
    """One run's places."""

    id: str
    directory: Path
    scratch: Path

    def write(self, name: str, text: str) -> Path:
        """Write a file (0600) in the run directory, making folders (0700) on the way; return its path."""
        path = self.directory / name
        write_private(path, text)
        return path


class Workspace:
    """The controller's state of one deployment."""

    def __init__(self, folder: Path) -> None:
        """Take the deployment's folder, ``inventories/<name>``; nothing is written yet."""
        # However somebody comes to the folder, it has one lock and one history.
        self.folder = folder.resolve()
        digest = hashlib.sha256(str(self.folder).encode()).hexdigest()[:8]
        self.name = self.folder.name
        self.directory = state_dir() / "deployments" / f"{self.name}-{digest}"
        self.runs_directory = self.directory / "runs"
        self._scratch = _memory_directory() / f"sovstack-{os.getuid()}-{digest}"

    @contextlib.contextmanager
    def begin(self, verb: str) -> Iterator[Run]:
        """Hold the deployment's lock and give one run its directories.

        What an earlier run left because it was killed is ended and removed first; what this run needs only
        while it runs is removed at the end, however it ends.

        Raises:
            Busy: Another run holds the lock.
            Unavailable: The state directory cannot be written.
        """
        with self._locked(verb) as run_id:
            marker = str(self._scratch)
            end_marked(marker)
            _remove(self._scratch)
            directory = self.runs_directory / run_id
            try:
                make_private(directory)
                make_private(self._scratch)
            except OSError as error:
                raise unwritable(error, directory) from error
            _require_own(self._scratch)
            self._retire()
            try:
                yield Run(run_id, directory, self._scratch)
            finally:
                end_marked(marker)
                _remove(self._scratch)

    def runs(self) -> list[Path]:
        """Return the directories of past runs, the newest first."""
        try:
            return sorted((path for path in self.runs_directory.iterdir() if path.is_dir()), reverse=True)
        except FileNotFoundError:
            return []

    def holder(self) -> str | None:
        """Return who holds the lock, in words, or None if nobody does."""
        try:
            handle = os.open(self.directory / "lock", os.O_RDONLY)
        except OSError:
            return None
        with os.fdopen(handle) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _describe(lock.read())
        return None

    @contextlib.contextmanager
    def _locked(self, verb: str) -> Iterator[str]:
        path = self.directory / "lock"
        try:
            make_private(self.directory)
            # The lock belongs to the open file: the kernel drops it when the process ends, in whatever way.
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise unwritable(error, path) from error
        with os.fdopen(handle, "r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy(
                    f"deployment {self.name} is busy: {_describe(lock.read())}",
                    hint="wait for that run to end, or end it; the lock goes away with its process",
                ) from None
            run_id = f"{time.strftime('%Y%m%dT%H%M%S')}-{verb}"
            while (self.runs_directory / run_id).exists():  # two runs of one verb within a second
                time.sleep(0.1)
                run_id = f"{time.strftime('%Y%m%dT%H%M%S')}-{verb}"
            with contextlib.suppress(OSError):  # a full disk: the lock holds, only its holder stays unnamed
                lock.truncate(0)
                lock.write(
                    json.dumps({"pid": os.getpid(), "verb": verb, "since": int(time.time()), "run": run_id})
                )
                lock.flush()
            yield run_id

    def _retire(self) -> None:
        for old in self.runs()[KEPT_RUNS:]:
            shutil.rmtree(old, ignore_errors=True)


def _memory_directory() -> Path:
    for place in (os.environ.get("XDG_RUNTIME_DIR"), "/dev/shm"):  # noqa: S108  made 0700, owner checked
        if place and len(place) <= _LONGEST_PLACE and os.access(place, os.W_OK | os.X_OK):
            return Path(place)
    return Path("/tmp")  # noqa: S108  the same; on a disk where there is no memory to be had


def _remove(scratch: Path) -> None:
    if scratch.exists():
        _require_own(scratch)
        shutil.rmtree(scratch, ignore_errors=True)


def _require_own(scratch: Path) -> None:
    found = scratch.lstat()
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077:
        raise Unavailable(
            f"{scratch} exists and is not a private directory of this user",
            hint="somebody else made it; remove it",
        )


def _describe(text: str) -> str:
    try:
        holder = json.loads(text)
        since = time.strftime("%H:%M:%S", time.localtime(holder["since"]))
        return f"`{holder['verb']}` runs since {since} as process {holder['pid']}"
    except (ValueError, KeyError, TypeError):
        return "another run holds its lock"


def is_full(error: BaseException | None) -> bool:
    """Tell whether an error says that a disk, or the user's share of it, is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def unwritable(error: OSError, path: Path) -> Unavailable:
    """Return the error for a path of the state directory that cannot be written."""
    return Unavailable(
        f"{'no space left for' if is_full(error) else 'cannot write'} {path}",
        details=str(error),
        hint="free some space there, or set SOVSTACK_STATE_DIR to another place",
    )
