"""Reading a release archive once, front to back, without unpacking it.

An archive is refused here when unpacking it could write outside its folder, create a device, or fill the
disk, and when two programs could read it differently (duplicate names, damaged headers, data after the end).
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import posixpath
import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, NoReturn, Self, cast

from provisioner.errors import ReleaseNotTrusted
from provisioner.paths import DOUBLE_MARKER

_MAX_MEMBERS = 250_000
_MAX_UNPACKED = 8 * 1024**3  # bytes; Nextcloud 34 has 0.7 GB in 26,000 files
_MAX_PADDING = 64 * 1024**2  # bytes of zeros behind the last entry; tar pads to 10 KB
_MAX_HEADER = 1024**2  # bytes of one long name or one extended header; tarfile holds them in memory
_MAX_KEPT = 32 * 1024**2  # bytes; core/signature.json has 2 MB
_CHUNK = 1024**2


@dataclass(frozen=True)
class File:
    """One regular file: its SHA-512 in lower-case hexadecimal, and whether a mode bit says execute."""

    sha512: str
    executable: bool


@dataclass(frozen=True)
class Inspection:
    """What an archive holds.

    Attributes:
        root: The one top folder; empty where paths count from the file system's own.
        files: Path below the root -> the regular file there.
        links: Paths below the root that are symbolic or hard links to something inside the root.
        kept: Path below the root -> content, for the files that the caller asked for.
        marker: The path that only a contract double has.
    """

    root: str
    files: Mapping[str, File]
    links: frozenset[str]
    kept: Mapping[str, bytes]
    marker: str = DOUBLE_MARKER

    @property
    def is_double(self) -> bool:
        """Say whether this is one of sovstack's own contract doubles, not the application."""
        return self.marker in self.files


def inspect(
    path: Path, keep: Callable[[str], bool], progress: Callable[[int], None] = lambda count: None
) -> Inspection:
    """Read the tar archive at ``path`` and return what it holds.

    Args:
        path: A tar archive, plain or compressed with bzip2, gzip or xz.
        keep: Says for a path below the root whether its content is wanted; asked once per regular file.
        progress: Told the number of entries read so far.

    Raises:
        ReleaseNotTrusted: The archive is damaged or hostile.
    """
    with refuse_damage(path), _open(path) as stream:
        return read(stream, Reading(path.name, keep), progress)


@contextmanager
def refuse_damage(path: Path) -> Iterator[None]:
    """Turn what a reader stumbles over into the refusal of the archive at ``path``.

    Raises:
        ReleaseNotTrusted: For every error that damage causes.
    """
    try:
        yield
    except (tarfile.TarError, EOFError, OSError, ValueError, lzma.LZMAError, zlib.error) as error:
        raise ReleaseNotTrusted(
            f"{path.name} is damaged: it cannot be read to its end", details=str(error)
        ) from error


def read(stream: IO[bytes], reading: Reading, progress: Callable[[int], None]) -> Inspection:
    """Read an uncompressed tar stream to its end, entry by entry, and return what it holds.

    Raises:
        ReleaseNotTrusted: An entry is hostile.
        ValueError, EOFError, tarfile.TarError: It is damaged.
    """
    with tarfile.open(fileobj=stream, mode="r|", tarinfo=_StrictTarInfo) as tar:
        for count, member in enumerate(tar, start=1):
            reading.take(tar, member)
            progress(count)
        _refuse_trailing_data(tar)
    return reading.finish()


class Reading:
    """The state of one walk through an archive, and the rules that each entry is held against."""

    def __init__(self, name: str, keep: Callable[[str], bool]) -> None:
        self._name = name
        self._keep = keep
        self._root: str | None = None
        self._seen: set[str] = set()
        self._links: set[str] = set()
        self._files: dict[str, File] = {}
        self._kept: dict[str, bytes] = {}
        self._unpacked = 0

    def take(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Hold the next entry against the rules."""
        path = self._place(member)
        if member.isdir():
            return
        if member.issym() or member.islnk():
            self._take_link(member, path)
            return
        if not member.isreg() or member.issparse():
            self._refuse(member, "is neither a file, a folder nor a link")
        if member.mode & 0o6000:
            self._refuse(member, "asks to run with another user's rights (setuid or setgid)")
        self._unpacked += member.size
        if self._unpacked > _MAX_UNPACKED:
            self._refuse(member, f"takes the unpacked size past {_MAX_UNPACKED // 1024**3} GiB")
        self._take_file(tar, member, path)

    def finish(self) -> Inspection:
        """Return what all entries together are."""
        if self._root is None:
            raise ReleaseNotTrusted(f"{self._name} holds no files")
        return Inspection(self._root, self._files, frozenset(self._links), self._kept)

    def _place(self, member: tarfile.TarInfo) -> str:
        """Return the member's path below the root; refuse names that could lead anywhere else."""
        path = self._below_root(member)
        if path in self._seen:
            self._refuse(member, "is there twice")
        if len(self._seen) >= _MAX_MEMBERS:
            self._refuse(member, f"is one more than {_MAX_MEMBERS:,} entries")
        if any(parent in self._links for parent in _parents(path)):
            self._refuse(member, "would be written through a link")
        self._seen.add(path)
        return path

    def _below_root(self, member: tarfile.TarInfo) -> str:
        segments = member.name.split("/")
        if any(segment in ("", ".", "..") for segment in segments) or "\0" in member.name:
            self._refuse(member, "could be written outside the release's folder")
        if self._root is None:
            self._root = segments[0]
        if segments[0] != self._root:
            self._refuse(member, f"lies outside the release's folder {self._root}/")
        path = "/".join(segments[1:])
        if not path and not member.isdir():
            self._refuse(member, "lies outside the release's folder")
        return path

    def _take_link(self, member: tarfile.TarInfo, path: str) -> None:
        self._check_link(member)
        self._links.add(path)

    def _check_link(self, member: tarfile.TarInfo) -> None:
        # A symbolic link counts from its own folder, a hard link from the archive's top.
        base = posixpath.dirname(member.name) if member.issym() else ""
        target = posixpath.normpath(posixpath.join(base, member.linkname))
        if member.linkname.startswith("/") or not target.startswith(f"{self._root}/"):
            self._refuse(member, f"is a link to {member.linkname}, outside the release's folder")

    def _take_file(self, tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
        stream = tar.extractfile(member)
        if stream is None:  # never for a regular file; tarfile's signature allows it
            self._refuse(member, "has no content")
        digest = hashlib.sha512()
        wanted = self._keep(path)
        if wanted and member.size > _MAX_KEPT:
            self._refuse(member, f"is larger than {_MAX_KEPT // 1024**2} MiB")
        content = bytearray()
        left = member.size
        while left:
            chunk = stream.read(min(_CHUNK, left))
            if not chunk:
                raise EOFError(f"{member.name} is shorter than its header says")
            left -= len(chunk)
            digest.update(chunk)
            if wanted:
                content += chunk
        self._files[path] = File(digest.hexdigest(), bool(member.mode & 0o111))
        if wanted:
            self._kept[path] = bytes(content)

    def _refuse(self, member: tarfile.TarInfo, why: str) -> NoReturn:
        raise ReleaseNotTrusted(f"{self._name} is refused: its entry {ascii(member.name)[:200]} {why}")


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


_HEADER_TYPES = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)


class _StrictTarInfo(tarfile.TarInfo):
    """A damaged header is an error, where tarfile takes it for the archive's end and tar reads on."""

    def _proc_member(self, tar: tarfile.TarFile) -> tarfile.TarInfo | None:
        # tarfile's own place for subclasses to step in, before it reads what belongs to a header; `frombuf` is not
        # called any more for what is read (Python 3.13.5).
        if self.type in _HEADER_TYPES and self.size > _MAX_HEADER:
            raise ValueError("an extended header is too large")
        member: tarfile.TarInfo | None = super()._proc_member(tar)  # type: ignore[misc]
        return member

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tar)
        except tarfile.HeaderError as error:
            # The two ends an archive may have; tarfile has these names, typeshed does not.
            if type(error).__name__ in ("EOFHeaderError", "EmptyHeaderError"):
                raise
            raise ValueError(f"damaged entry: {error}") from error


@contextmanager
def _open(path: Path) -> Iterator[IO[bytes]]:
    """Decompress a tar archive for one walk; the decompressors here are strict about a stream that ends early."""
    with path.open("rb") as file:
        head = file.read(6)
    opener = next((found for magic, found in _OPENERS.items() if head.startswith(magic)), Path.open)
    with opener(path, "rb") as stream:
        yield stream


@contextmanager
def _open_bzip2(path: Path, mode: Literal["rb"]) -> Iterator[IO[bytes]]:
    """Open a bzip2 stream through lbzip2, on all cores, where that is installed."""
    program = shutil.which("lbzip2")
    if program is None:
        with bz2.open(path, mode) as stream:
            yield stream
        return
    command = [program, "--decompress", "--stdout", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield cast("IO[bytes]", process.stdout)
        _, complaint = process.communicate()
        if process.returncode:
            raise EOFError(complaint.decode(errors="replace").strip())
    finally:
        process.kill()
        process.communicate()


_OPENERS: Mapping[bytes, Callable[[Path, Literal["rb"]], AbstractContextManager[Any]]] = {
    b"BZh": _open_bzip2,
    b"\x1f\x8b": gzip.GzipFile,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}


def _refuse_trailing_data(tar: tarfile.TarFile) -> None:
    """Read to the stream's end, so that its checksums are tested and nothing hides behind the last entry."""
    padding = 0
    while chunk := tar.fileobj.read(_CHUNK):
        padding += len(chunk)
        if chunk.strip(b"\0") or padding > _MAX_PADDING:
            raise ValueError("there is data behind the archive's end")
