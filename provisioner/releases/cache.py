"""The release cache: archives kept by their SHA-256, and an index of what each one is and why it is trusted.

::

    releases/
      index.json              what is in the cache; replaced as a whole, so a reader never sees half of it
      index.lock              held while the index changes
      sha256/<digest>/<file>  an admitted archive, read-only
      doubles/<digest>/<file> a contract double; never in the index, so never found again by itself
      incoming/<app>-<version>/  downloads and copies that no gate has passed yet
      locks/<app>-<version>   held by the run that is obtaining that release
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from provisioner.errors import ReleaseNotTrusted, Unavailable
from provisioner.paths import cache_dir
from provisioner.releases.catalogue import Release
from provisioner.releases.gates import Gate, Verdict

FORMAT_VERSION = 1
_CHUNK = 1024**2


@dataclass(frozen=True)
class TrustRecord:
    """A person's decision to install an archive that the gates do not pass by themselves.

    Attributes:
        who: Account and computer.
        when: UTC, ISO 8601.
        why: The reason that was given.
        accepts: What the gates found and the person accepted, such as ``30 files absent, 0 altered``.
    """

    who: str
    when: str
    why: str
    accepts: str


@dataclass(frozen=True)
class Entry:
    """One admitted archive.

    Attributes:
        origin: ``upstream`` or ``mirror`` (a directory and a trusted file count as mirrors).
        source: The URL or path that it came from.
        obtained_at: UTC, ISO 8601.
    """

    application: str
    version: str
    file_name: str
    sha256: str
    size: int
    origin: str
    source: str
    obtained_at: str
    gates: tuple[Gate, ...]
    trust: TrustRecord | None


class Cache:
    """Admitted release archives of one user."""

    def __init__(self, root: Path | None = None) -> None:
        """Use the cache at ``root``, by default the user's; nothing is created before something is stored."""
        self.root = root or cache_dir() / "releases"

    def entries(self) -> tuple[Entry, ...]:
        """Return everything in the index, oldest first.

        Raises:
            ReleaseNotTrusted: The index is damaged.
        """
        try:
            data = json.loads((self.root / "index.json").read_bytes())
            if data["format_version"] != FORMAT_VERSION:
                raise ReleaseNotTrusted(
                    f"the release cache {self.root} was written by another version of sovstack",
                    hint="set SOVSTACK_CACHE_DIR to another folder, or move this one away",
                )
            return tuple(_parse_entry(entry) for entry in data["entries"])
        except FileNotFoundError:
            return ()
        except (ValueError, KeyError, TypeError) as error:
            raise ReleaseNotTrusted(
                f"the index of the release cache, {self.root / 'index.json'}, is damaged",
                details=str(error),
                hint="move it away and obtain the releases again",
            ) from error

    def find(self, release: Release) -> Entry | None:
        """Return the newest entry for ``release``; editions of one version differ by the name of their archive.

        What let a plugin in holds for whom it was: a digest for the profiles that name it, a person's word for all.
        """
        matching = [entry for entry in self.named(release) if not release.plugin or _vouches(entry, release)]
        return matching[-1] if matching else None

    def named(self, release: Release) -> list[Entry]:
        """Return the entries that go by a release's name, oldest first."""
        return [
            entry
            for entry in self.entries()
            if (entry.application, entry.version, entry.file_name)
            == (release.application, release.version, release.file_name)
        ]

    def path(self, entry: Entry) -> Path:
        """Return where the entry's archive is kept."""
        return self.root / "sha256" / entry.sha256 / entry.file_name

    def is_intact(self, entry: Entry) -> bool:
        """Read the entry's archive again and say whether it still is what was admitted."""
        try:
            return hash_file(self.path(entry)) == entry.sha256
        except OSError:
            return False

    def admit(self, incoming: Path, entry: Entry) -> None:
        """Move a file that passed the gates from ``incoming`` into the cache, and list it."""
        self._place(incoming, self.path(entry))
        with self._locked("index.lock"):
            others = [
                other
                for other in self.entries()
                if (other.application, other.version, other.sha256)
                != (entry.application, entry.version, entry.sha256)
            ]
            self._write_index([*others, entry])

    def forget(self, entry: Entry) -> None:
        """Take an entry out of the index and remove its archive."""
        with self._locked("index.lock"):
            self._write_index([other for other in self.entries() if other != entry])
        shutil.rmtree(self.path(entry).parent, ignore_errors=True)

    def keep_double(self, incoming: Path, file_name: str, sha256: str) -> Path:
        """Move a contract double from ``incoming`` to where its path stays valid, and return that path."""
        target = self.root / "doubles" / sha256 / file_name
        self._place(incoming, target)
        return target

    def incoming(self, release: Release, name: str) -> Path:
        """Return the path where a file of ``release`` is collected before the gates."""
        return self._folder(f"incoming/{_key(release)}") / name

    def sweep(self, release: Release) -> None:
        """Remove what was collected of ``release``; call it while holding :meth:`obtaining`."""
        shutil.rmtree(self.root / "incoming" / _key(release), ignore_errors=True)

    @contextmanager
    def obtaining(self, release: Release, waiting: Callable[[], None]) -> Iterator[None]:
        """Be the only run on this computer that obtains ``release``; wait for another one to end."""
        self._folder("locks")
        with self._locked(f"locks/{_key(release)}", waiting):
            yield

    def _place(self, incoming: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        incoming.chmod(0o444)
        incoming.replace(target)

    def _write_index(self, entries: list[Entry]) -> None:
        data = {"format_version": FORMAT_VERSION, "entries": [asdict(entry) for entry in entries]}
        new = self.root / f"index.json.{os.getpid()}"
        with new.open("w", encoding="utf-8") as file:
            json.dump(data, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.root / "index.json")

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    @contextmanager
    def _locked(self, name: str, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        # The kernel drops the lock with the process, however that ends; the file stays.
        with (self.root / name).open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


@contextmanager
def explain_trouble(root: Path) -> Iterator[None]:
    """Turn a full disk, and a cache that cannot be written, into errors that say what to do.

    Raises:
        Unavailable: For both.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Unavailable(
                f"the disk of the release cache {root} is full",
                hint="free some room and run the same command again, which continues where this one stopped; "
                "or put the cache elsewhere with SOVSTACK_CACHE_DIR",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR):
            raise Unavailable(
                f"the release cache {root} cannot be used",
                details=str(error),
                hint="correct its owner or mode, or put the cache elsewhere with SOVSTACK_CACHE_DIR",
            ) from error
        raise


def hash_file(path: Path) -> str:
    """Return the file's SHA-256 in lower-case hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _vouches(entry: Entry, release: Release) -> bool:
    return entry.sha256 == release.digest.sha256 if release.digest else entry.trust is not None


def _key(release: Release) -> str:
    return f"{release.application}-{release.version}"


def now() -> str:
    """Return the present moment in UTC, as records write it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _parse_entry(data: dict[str, Any]) -> Entry:
    gates = tuple(
        Gate(gate["name"], Verdict(gate["verdict"]), gate["summary"], tuple(gate["details"]))
        for gate in data["gates"]
    )
    trust = TrustRecord(**data["trust"]) if data["trust"] else None
    return replace(Entry(**{**data, "gates": (), "trust": None}), gates=gates, trust=trust)
