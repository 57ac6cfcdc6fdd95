"""Obtaining a release: look where it may be, have it checked, and only then put it into the cache."""

from __future__ import annotations

import getpass
import hashlib
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit
from urllib.request import url2pathname

from provisioner.errors import ReleaseNotTrusted
from provisioner.releases.cache import Cache, Entry, TrustRecord, explain_trouble, hash_file, now
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
    """Where one source has an archive, its signature and the vendor's key (None: not known): URLs or absolute paths."""

    origin: str
    archive: str
    signature: str
    key: str | None


@dataclass(frozen=True)
class _Collected:
    """An archive that was fetched and not yet admitted."""

    path: Path
    sha256: str
    assessment: Assessment


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
    with _working_on(release, cache, report):
        if found := _find_cached(release, cache, report):
            return found
        for place in _list_places(release, sources):
            try:
                return _take(release, cache, place, sources, report)
            except NotThereError as error:
                missing.append(str(error))
    if release.plugin and release.digest:
        others = {entry.sha256 for entry in cache.named(release)} - {release.digest.sha256}
        missing += [f"the cache has one with another SHA-256, {other}" for other in sorted(others)]
    raise ReleaseNotTrusted(
        f"{release.title} is not in the cache, and no source has it",
        details="\n".join(missing) or None,
        hint=_advise(release),
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
    place = _place_in(str(archive.parent.absolute()), archive.name, release)
    with _working_on(release, cache, report):
        try:
            collected = _collect(release, cache, place, key, report)
        except NotThereError as error:
            raise ReleaseNotTrusted(str(error)) from error
        if collected.assessment.is_double:
            raise ReleaseNotTrusted(f"{archive} is a contract double; nothing makes it {release.product}")
        _refuse(release, collected.assessment, collected.assessment.unacceptable)
        doubts = "; ".join(gate.summary for gate in reversed(collected.assessment.doubts))
        record = TrustRecord(_name_account(), now(), why, doubts) if doubts else None
        return _admit(release, cache, place, collected, record)


def _advise(release: Release) -> str:
    if not release.plugin:
        return "name a folder that holds it with --releases-from, or admit one with `sovstack releases trust`"
    return (
        f"name a folder that holds {release.file_name} with --releases-from, or admit it with "
        f"`sovstack releases trust mattermost {release.version} ARCHIVE --plugin {release.plugin} --reason TEXT`"
    )


@contextmanager
def _working_on(release: Release, cache: Cache, report: Report) -> Iterator[None]:
    """Be alone with this release. What was collected goes when it was judged, and stays for a next run if not."""
    waiting = Progress(f"another run is fetching {release.file_name}; waiting for it")
    with explain_trouble(cache.root), cache.obtaining(release, lambda: report(waiting)):
        try:
            yield
        except ReleaseNotTrusted:
            cache.sweep(release)
            raise
        cache.sweep(release)


def _find_cached(release: Release, cache: Cache, report: Report) -> ObtainedRelease | None:
    entry = cache.find(release)
    if entry is None:
        return None
    if not cache.is_intact(entry):
        report(Progress(f"the cached {entry.file_name} is damaged and is not used"))
        return None
    return _release_of(release, cache, entry, "cache")


def _list_places(release: Release, sources: Sources) -> Iterator[_Place]:
    if sources.directory is not None:
        yield _place_in(str(sources.directory.absolute()), release.file_name, release)
    if sources.mirror is not None:
        parts = urlsplit(sources.mirror)
        base = url2pathname(parts.path) if parts.scheme == "file" else sources.mirror
        yield _place_in(base.rstrip("/"), release.file_name, release)
    if sources.upstream and not release.plugin:
        key = release.signing_key.url if release.signing_key else None
        yield _Place("upstream", release.url, release.signature_url, key)


def _place_in(base: str, name: str, release: Release) -> _Place:
    """Return a folder or a mirror as a place: signature and key lie beside the archive, named as upstream does."""
    key = f"{base}/{_file_name(release.signing_key.url)}" if release.signing_key else None
    return _Place(
        "mirror", f"{base}/{name}", f"{base}/{name}{PurePosixPath(release.signature_url).suffix}", key
    )


def _take(release: Release, cache: Cache, place: _Place, sources: Sources, report: Report) -> ObtainedRelease:
    collected = _collect(release, cache, place, sources.key, report)
    assessment = collected.assessment
    if not assessment.is_double:
        hint = None
        if not assessment.unacceptable:
            hint = "a person may accept it all the same: sovstack releases trust --help"
        _refuse(release, assessment, [f"{gate.name}: {gate.summary}" for gate in assessment.doubts], hint)
        return _admit(release, cache, place, collected, None)
    if release.plugin:
        raise ReleaseNotTrusted(f"{release.file_name} says that it is a contract double; plugins have none")
    if not sources.allow_doubles:
        raise ReleaseNotTrusted(
            f"{release.file_name} is a contract double, not {release.product}",
            hint="a double is for trying and testing sovstack itself: --allow-doubles",
        )
    _refuse(release, assessment, assessment.unacceptable)
    path = cache.keep_double(collected.path, release.file_name, collected.sha256)
    return ObtainedRelease(release, path, collected.sha256, "double", assessment.gates, None)


def _collect(release: Release, cache: Cache, place: _Place, key: Path | None, report: Report) -> _Collected:
    """Fetch the archive and what proves it, and try the gates.

    Raises:
        NotThereError: The place does not have the archive.
        ReleaseNotTrusted: The archive is damaged or hostile.
    """
    path = cache.incoming(release, _incoming_name(place.archive))
    fetch(place.archive, path, report)
    signature = keys = None
    if place.key is not None:
        signature = _fetch_beside(release, cache, place.signature, report)
        keys = key or _fetch_beside(release, cache, place.key, report)
    report(Progress(f"checking {release.file_name}"))
    sha256 = hash_file(path)
    assessment = assess(
        path,
        sha256,
        release,
        signature=signature,
        key=keys,
        progress=lambda count: report(Progress(f"checking {release.file_name}", count, None, "files")),
    )
    return _Collected(path, sha256, assessment)


def _fetch_beside(release: Release, cache: Cache, address: str, report: Report) -> Path | None:
    target = cache.incoming(release, _incoming_name(address))
    try:
        fetch(address, target, report)
    except NotThereError:
        return None
    return target


def _refuse(
    release: Release, assessment: Assessment, reasons: Sequence[str], hint: str | None = None
) -> None:
    if reasons:
        details = [line for gate in assessment.gates for line in gate.details]
        raise ReleaseNotTrusted(
            f"{release.file_name} is refused: {reasons[0]}",
            details="\n".join([*reasons[1:], *details]) or None,
            hint=hint,
        )


def _admit(
    release: Release, cache: Cache, place: _Place, collected: _Collected, record: TrustRecord | None
) -> ObtainedRelease:
    entry = Entry(
        application=release.application,
        version=release.version,
        file_name=release.file_name,
        sha256=collected.sha256,
        size=collected.path.stat().st_size,
        origin=place.origin,
        source=place.archive,
        obtained_at=now(),
        gates=collected.assessment.gates,
        trust=record,
    )
    cache.admit(collected.path, entry)
    return _release_of(release, cache, entry, entry.origin)


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
