"""What is particular to Nextcloud's release archives: their identity and their code signatures.

Which files a signature covers follows the vendor's checker (lib/private/IntegrityCheck in 34.0.1).
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from provisioner.releases.archive import Inspection
from provisioner.releases.catalogue import Release
from provisioner.releases.codesigning import (
    Authority,
    SignatureRefusedError,
    establish_authority,
    read_hashes,
)
from provisioner.releases.identity import Identity

_VERSION_FILE = "version.php"
_ASSIGNMENT = re.compile(
    r"^\s*\$(OC_VersionString|OC_Channel|OC_Edition|vendor)\s*=\s*'([^']*)';", re.MULTILINE
)
_CORE_SIGNATURE = "core/signature.json"
_APP_SIGNATURE = "appinfo/signature.json"
_CERTIFICATES = "resources/codesigning/root.crt"
_REVOCATIONS = re.compile(r"resources/codesigning/[^/]+\.crl")
_ACCESS_FILE = ".htaccess"
# The installer writes below this line, so the vendor signs only what is above it.
_ACCESS_MARKER = b"#### DO NOT CHANGE ANYTHING ABOVE THIS LINE ####"

# Folders and file names that no signature covers.
_OPEN_FOLDERS = frozenset({"data", "themes", "config", "assets", "lost+found", "updater", "_oc_upgrade"})
_OPEN_NAMES = frozenset(
    {".DS_Store", ".directory", ".rnd", ".webapp", "Thumbs.db", "nextcloud-init-sync.lock"}
)
# Files that nothing runs: neither PHP-FPM, nginx, a browser nor Nextcloud takes code from them.
_INERT_SUFFIXES = frozenset({"", ".license", ".map", ".md", ".sample", ".txt"})
# Open places whose PHP files nothing loads: the sample is not named *.config.php, and the example theme has
# to be chosen by name in the configuration.
_UNUSED = re.compile(r"config/config\.sample\.php|themes/example/.*")


@dataclass(frozen=True)
class SignatureReport:
    """How an archive's files compare with its code signatures; every tuple holds paths, sorted.

    Attributes:
        problems: Signature files that do not prove themselves, one sentence each.
        verified: The number of files whose signed hash matches.
        absent: Signed, and not in the archive.
        altered: Signed, and different in the archive.
        extra: In a place that a signature covers, and not signed.
        uncovered: In a place that no signature covers.
        executable: Those of ``extra`` and ``uncovered`` that something on a server or in a browser may run.
    """

    problems: tuple[str, ...]
    verified: int
    absent: tuple[str, ...]
    altered: tuple[str, ...]
    extra: tuple[str, ...]
    uncovered: tuple[str, ...]
    executable: tuple[str, ...]


def keep(path: str) -> bool:
    """Say whether the content of this file is needed for the checks of this module."""
    return (
        path in (_VERSION_FILE, _CORE_SIGNATURE, _CERTIFICATES, _ACCESS_FILE)
        or _REVOCATIONS.fullmatch(path) is not None
        or (path.startswith("apps/") and path.endswith(f"/{_APP_SIGNATURE}") and path.count("/") == 3)
    )


def identify(inspection: Inspection, release: Release) -> Identity:
    """Return what ``version.php`` says: vendor, version, channel and edition, which is empty in a public release."""
    text = inspection.kept.get(_VERSION_FILE, b"").decode(errors="replace")
    values = dict(_ASSIGNMENT.findall(text))
    if "OC_VersionString" not in values:
        return Identity("", "it has no version.php that says what it is")
    said = [values.get(name, "") for name in ("vendor", "OC_VersionString", "OC_Channel", "OC_Edition")]
    found = " ".join(said).strip()
    if said != ["nextcloud", release.version, "stable", ""] or inspection.root != release.application:
        return Identity(
            found, f"it is {found} in {inspection.root}/, not {release.product} {release.version}"
        )
    return Identity(found)


def check_signatures(inspection: Inspection, root_sha256: str) -> SignatureReport:
    """Hold every file against the signatures of the core and of each shipped app."""
    try:
        authority = establish_authority(
            inspection.kept.get(_CERTIFICATES, b""),
            [content for path, content in inspection.kept.items() if _REVOCATIONS.fullmatch(path)],
            root_sha256,
        )
    except SignatureRefusedError as error:
        return SignatureReport((f"the release is not signed by the vendor: {error}",), 0, (), (), (), (), ())
    problems: list[str] = []
    signed: dict[str, str] = {}
    apps = {path.split("/")[1] for path in inspection.files if re.match("apps/[^/]+/", path)}
    for prefix, scope in [("", "core"), *((f"apps/{app}/", app) for app in sorted(apps))]:
        try:
            signed.update(_read_scope(inspection, authority, prefix, scope))
        except SignatureRefusedError as error:
            problems.append(f"{prefix}{_APP_SIGNATURE if prefix else _CORE_SIGNATURE}: {error}")
    return _compare(inspection, signed, problems)


def _read_scope(
    inspection: Inspection, authority: Authority, prefix: str, scope: str
) -> Iterator[tuple[str, str]]:
    document = inspection.kept.get(prefix + (_APP_SIGNATURE if prefix else _CORE_SIGNATURE))
    if document is None:
        raise SignatureRefusedError("it is not in the archive")
    for path, digest in read_hashes(document, authority, scope).items():
        if not prefix and _is_open(path):
            continue
        yield prefix + path, digest


def _compare(inspection: Inspection, signed: Mapping[str, str], problems: list[str]) -> SignatureReport:
    found: dict[str, list[str]] = defaultdict(list)
    verified = 0
    for path, digest in signed.items():
        if path in inspection.links:
            found["altered"].append(path)
        elif path not in inspection.files:
            found["absent"].append(path)
        elif digest in _hashes(inspection, path):
            verified += 1
        else:
            found["altered"].append(path)
    for path in (inspection.files.keys() | inspection.links) - signed.keys():
        kind = "uncovered" if _is_open(path) else "extra"
        if _is_signature(path):
            continue
        found[kind].append(path)
        if _is_executable(inspection, path):
            found["executable"].append(path)
    return SignatureReport(
        tuple(problems),
        verified,
        *(tuple(sorted(found[kind])) for kind in ("absent", "altered", "extra", "uncovered", "executable")),
    )


def _hashes(inspection: Inspection, path: str) -> Iterator[str]:
    """Yield the hashes that stand for a file: of the whole, and of the access file's part above its mark."""
    yield inspection.files[path].sha512
    if path == _ACCESS_FILE:
        above, mark, _ = inspection.kept[path].partition(_ACCESS_MARKER)
        if mark:
            yield hashlib.sha512(above).hexdigest()


def _is_open(path: str) -> bool:
    return path.split("/")[0] in _OPEN_FOLDERS or path.rpartition("/")[2] in _OPEN_NAMES


def _is_signature(path: str) -> bool:
    return path == _CORE_SIGNATURE or re.fullmatch(rf"apps/[^/]+/{_APP_SIGNATURE}", path) is not None


def _is_executable(inspection: Inspection, path: str) -> bool:
    if _UNUSED.fullmatch(path):
        return False
    if path in inspection.links or inspection.files[path].executable:
        return True
    return PurePosixPath(path).suffix not in _INERT_SUFFIXES
