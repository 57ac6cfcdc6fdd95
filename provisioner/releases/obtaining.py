"""Obtaining a release: look where it may be, have it checked, and only then put it into the cache."""

from __future__ import annotations

import getpass
import hashlib
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from provisioner.errors import ReleaseNotTrusted
from provisioner.releases.cache import Cache, Entry, TrustRecord, hash_file, now
from provisioner.releases.catalogue import Release
from provisioner.releases.downloading import NotThereError, fetch
from provisioner.releases.gates import Assessment, Gate, assess
from provisioner.releases.progress import Progress, Report, ignore


@dataclass(frozen=True)
class Sources:
    """Where releases may come from besides the cache, in this order.

    Attributes:
        directory: A folder with archives, their signatures and the vendors' keys.
        mirror: The URL (http, https, file) of such a folder.
        upstream: Whether the vendor may be asked.
        key: A file of OpenPGP keys to use instead of the one beside the archive.
        allow_doubles: Whether a contract double may stand for the application.
    """

    directory: Path | None = None
    mirror: str | None = None
    upstream: bool = True
    key: Path | None = None
    allow_doubles: bool = False


@dataclass(frozen=True)
class ObtainedRelease:
    """An archive on this computer that may be installed.

    Attributes:
        origin: ``upstream``, ``mirror``, ``cache`` or ``double``.
        gates: What was found when the archive was admitted.
        trust: Who let it in, where the gates alone did not.
    """

    release: Release
    path: Path
    sha256: str
    origin: str
    gates: tuple[Gate, ...]
    trust: TrustRecord | None


@dataclass(frozen=True)
class _Place:
    """Where one source has an archive, its signature and the vendor's key: URLs or absolute paths."""

    origin: str
    archive: str
    signature: str
    key: str


def obtain(release: Release, cache: Cache, sources: Sources, report: Report = ignore) -> ObtainedRelease:
    """Return ``release`` from the cache, or from the first source that has it, checked.

    A source that has a bad archive ends the search: that is not the moment to be quiet and go elsewhere.

    Raises:
        ReleaseNotTrusted: No source has it, or the one that has it fails a gate.
        Unavailable: A program is missing, or the disk is full.
    """
    if found := _find_cached(release, cache, report):
        return found
    missing = []
    with cache.obtaining(release, _say_waiting(release, report)):
        if found := _find_cached(release, cache, report):
            return found
        for place in _list_places(release, sources):
            try:
                return _take(release, cache, place, sources, report)
            except NotThereError as error:
                missing.append(str(error))
    raise ReleaseNotTrusted(
        f"{release.product} {release.version} is not in the cache, and no source has it",
        details="\n".join(missing) or None,
        hint="name a folder that holds it with --releases-from, or admit one with `sovstack releases trust`",
    )


def trust(
    release: Release,
    archive: Path,
    cache: Cache,
    *,
    why: str,
    key: Path | None = None,
    report: Report = ignore,
) -> ObtainedRelease:
    """Admit an archive that a person vouches for, where the gates found it incomplete and nothing worse.

    Raises:
        ReleaseNotTrusted: The archive is damaged, is something else, has altered files, or carries files that
            may be run and that no signature covers.
    """
    path = archive.absolute()
    place = _Place("mirror", str(path), f"{path}.asc", str(path.parent / _file_name(release.signing_key.url)))
    with cache.obtaining(release, _say_waiting(release, report)):
        try:
            incoming, sha256, assessment = _assess(release, cache, place, key, report)
        except NotThereError as error:
            raise ReleaseNotTrusted(str(error)) from error
        try:
            if assessment.is_double:
                raise ReleaseNotTrusted(f"{archive} is a contract double; nothing makes it {release.product}")
            _refuse(release, assessment, assessment.unacceptable)
            doubts = "; ".join(gate.summary for gate in reversed(assessment.doubts))
            record = TrustRecord(_name_account(), now(), why, doubts) if doubts else None
            entry = _make_entry(release, incoming, sha256, place, assessment, record)
            return _release_of(release, cache, cache.admit(incoming, entry), entry.origin)
        finally:
            incoming.unlink(missing_ok=True)


def _say_waiting(release: Release, report: Report) -> Callable[[], None]:
    return lambda: report(Progress(f"another run is fetching {release.file_name}; waiting for it"))


def _find_cached(release: Release, cache: Cache, report: Report) -> ObtainedRelease | None:
    entry = cache.find(release)
    if entry is None:
        return None
    if not cache.is_intact(entry):
        report(Progress(f"the cached {entry.file_name} is damaged and is not used"))
        return None
    return _release_of(release, cache, entry, "cache")


def _list_places(release: Release, sources: Sources) -> Iterator[_Place]:
    key = _file_name(release.signing_key.url)
    if sources.directory is not None:
        base = str(sources.directory.absolute())
        yield _Place(
            "mirror", f"{base}/{release.file_name}", f"{base}/{release.file_name}.asc", f"{base}/{key}"
        )
    if sources.mirror is not None:
        parts = urlsplit(sources.mirror)
        base = url2pathname(parts.path) if parts.scheme == "file" else sources.mirror
        base = base.rstrip("/")
        yield _Place(
            "mirror", f"{base}/{release.file_name}", f"{base}/{release.file_name}.asc", f"{base}/{key}"
        )
    if sources.upstream:
        yield _Place("upstream", release.url, release.signature_url, release.signing_key.url)


def _take(release: Release, cache: Cache, place: _Place, sources: Sources, report: Report) -> ObtainedRelease:
    incoming, sha256, assessment = _assess(release, cache, place, sources.key, report)
    try:
        if assessment.is_double:
            return _take_double(release, cache, incoming, sha256, assessment, sources)
        _refuse(release, assessment, [f"{gate.name}: {gate.summary}" for gate in assessment.doubts])
        entry = _make_entry(release, incoming, sha256, place, assessment, None)
        return _release_of(release, cache, cache.admit(incoming, entry), entry.origin)
    finally:
        incoming.unlink(missing_ok=True)


def _take_double(
    release: Release, cache: Cache, incoming: Path, sha256: str, assessment: Assessment, sources: Sources
) -> ObtainedRelease:
    if not sources.allow_doubles:
        raise ReleaseNotTrusted(
            f"{release.file_name} is a contract double, not {release.product}",
            hint="a double is for trying and testing sovstack itself: --allow-doubles",
        )
    _refuse(release, assessment, assessment.unacceptable)
    path = cache.keep_double(incoming, release.file_name, sha256)
    return ObtainedRelease(release, path, sha256, "double", assessment.gates, None)


def _assess(
    release: Release, cache: Cache, place: _Place, key: Path | None, report: Report
) -> tuple[Path, str, Assessment]:
    """Fetch the archive and what proves it; return the fetched file, its SHA-256 and what the gates found.

    The fetched file is removed when the gates cannot even read it; else it is the caller's to move or remove.
    """
    incoming = cache.incoming(_incoming_name(place.archive))
    fetch(place.archive, incoming, report)
    signature = _fetch_beside(place.signature, cache, report)
    keys = key or _fetch_beside(place.key, cache, report)
    try:
        report(Progress(f"checking {release.file_name}"))
        sha256 = hash_file(incoming)
        assessment = assess(
            incoming,
            sha256,
            release,
            signature=signature,
            key=keys,
            progress=lambda count: report(Progress(f"checking {release.file_name}", count, None, "files")),
        )
    except BaseException:
        incoming.unlink(missing_ok=True)
        raise
    return incoming, sha256, assessment


def _fetch_beside(address: str, cache: Cache, report: Report) -> Path | None:
    target = cache.incoming(_incoming_name(address))
    try:
        fetch(address, target, report)
    except NotThereError:
        return None
    return target


def _refuse(release: Release, assessment: Assessment, reasons: tuple[str, ...] | list[str]) -> None:
    if not reasons:
        return
    details = [line for gate in assessment.gates for line in gate.details]
    raise ReleaseNotTrusted(
        f"{release.file_name} is refused: {reasons[0]}",
        details="\n".join([*reasons[1:], *details]) or None,
    )


def _make_entry(
    release: Release,
    incoming: Path,
    sha256: str,
    place: _Place,
    assessment: Assessment,
    record: TrustRecord | None,
) -> Entry:
    return Entry(
        application=release.application,
        version=release.version,
        file_name=release.file_name,
        sha256=sha256,
        size=incoming.stat().st_size,
        origin=place.origin,
        source=place.archive,
        obtained_at=now(),
        gates=assessment.gates,
        trust=record,
    )


def _release_of(release: Release, cache: Cache, entry: Entry, origin: str) -> ObtainedRelease:
    return ObtainedRelease(release, cache.path(entry), entry.sha256, origin, entry.gates, entry.trust)


def _incoming_name(address: str) -> str:
    """Return a name that is one address's own, so that two sources never continue each other's download."""
    return f"{hashlib.sha256(address.encode()).hexdigest()[:16]}-{_file_name(address)}"


def _file_name(address: str) -> str:
    return urlsplit(address).path.rpartition("/")[2] if "://" in address else Path(address).name


def _name_account() -> str:
    # Behind sudo the account that decided is the one that called it.
    return f"{os.environ.get('SUDO_USER') or getpass.getuser()}@{socket.gethostname()}"
