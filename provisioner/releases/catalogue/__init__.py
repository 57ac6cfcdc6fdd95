"""What sovstack knows about the releases of each application, read from the ``*.yml`` files in this folder.

The data says where a release comes from, how to know the real one, and what it needs. It is read once, when
it is asked for, so that commands that install nothing do not pay for it.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from provisioner.errors import UsageError
from provisioner.releases.versions import VersionRange, major, parse_version

_DATA = Path(__file__).parent


@dataclass(frozen=True)
class Vendor:
    """Who makes the application, and the country of its seat (ISO 3166-1 alpha-2)."""

    name: str
    country: str


@dataclass(frozen=True)
class SigningKey:
    """An OpenPGP key, known by its full fingerprint; the key material itself is fetched or given."""

    fingerprint: str
    url: str


@dataclass(frozen=True)
class CodeSigning:
    """A vendor's own signature over every file, under a root certificate known by its SHA-256."""

    root_sha256: str


@dataclass(frozen=True)
class Digest:
    """The SHA-256 of an archive in lower-case hexadecimal, and the public source that confirms it."""

    sha256: str
    source: str


@dataclass(frozen=True)
class Release:
    """One version of one application: where it is had, how it is known, what it needs."""

    application: str
    product: str
    version: str
    edition: str
    licence: str
    vendor: Vendor
    url: str
    signature_url: str
    signing_key: SigningKey
    code_signing: CodeSigning | None
    digest: Digest | None
    php: VersionRange
    postgresql: VersionRange
    upgrades_from: frozenset[int]
    end_of_life: date | None

    @property
    def major(self) -> int:
        """Return the first number of the version."""
        return major(self.version)

    @property
    def file_name(self) -> str:
        """Return the archive's name, as upstream and a mirror have it."""
        return urlsplit(self.url).path.rpartition("/")[2]


@dataclass(frozen=True)
class Platform:
    """The versions that one Debian release brings."""

    debian: int
    php: str
    postgresql: str


@dataclass(frozen=True)
class Catalogue:
    """All applications' releases.

    Attributes:
        releases: application -> version -> release, versions in ascending order.
        defaults: application -> the version that is installed when the profile names none.
        platforms: Debian release -> what it brings.
    """

    releases: Mapping[str, Mapping[str, Release]]
    defaults: Mapping[str, str]
    platforms: Mapping[int, Platform]

    @classmethod
    def load(cls) -> Catalogue:
        """Return the catalogue that ships with this package; it is read at the first call only."""
        return _load(_DATA)

    @cached_property
    def applications(self) -> tuple[str, ...]:
        """Return the names of all applications, sorted."""
        return tuple(sorted(self.releases))

    def release(self, application: str, version: str | None = None) -> Release:
        """Return one release; without ``version`` the application's default.

        Raises:
            UsageError: The catalogue does not have that application or version.
        """
        known = self.releases.get(application)
        if known is None:
            raise UsageError(
                f"the catalogue has no application {application!r}",
                hint=_suggest(application, self.applications),
            )
        wanted = version or self.defaults[application]
        if wanted not in known:
            raise UsageError(
                f"the catalogue has no {application} {wanted}", hint=_suggest(wanted, tuple(known))
            )
        return known[wanted]


def _suggest(word: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    listed = "it knows " + ", ".join(known)
    return f"did you mean {near[0]}? {listed}" if near else listed


@lru_cache(maxsize=1)
def _load(folder: Path) -> Catalogue:
    releases: dict[str, Mapping[str, Release]] = {}
    defaults: dict[str, str] = {}
    for path in sorted(folder.glob("*.yml")):
        data = _read(path)
        application = data["application"]
        versions = sorted(data["releases"], key=parse_version)
        releases[application] = {version: _release(data, version) for version in versions}
        defaults[application] = data["default"]
    platforms = {
        number: Platform(debian=number, **brought)
        for number, brought in _read(folder / "platforms/debian.yml")["platforms"].items()
    }
    return Catalogue(releases, defaults, platforms)


def _read(path: Path) -> Any:  # noqa: ANN401  our own data; a unit test holds its form
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_bytes(), Loader=loader)  # noqa: S506  both are safe loaders


def _release(data: Mapping[str, Any], version: str) -> Release:
    line = data["majors"][major(version)]
    own = data["releases"][version]
    signing = data.get("code_signing")
    return Release(
        application=data["application"],
        product=data["product"],
        version=version,
        edition=data["edition"],
        licence=data["licence"],
        vendor=Vendor(**data["vendor"]),
        url=data["archive"].format(version=version),
        signature_url=data["signature"].format(version=version),
        signing_key=SigningKey(**data["signing_key"]),
        code_signing=CodeSigning(signing["root_sha256"].replace(":", "").lower()) if signing else None,
        digest=Digest(**own["digest"]) if own.get("digest") else None,
        php=VersionRange(line["php"]["from"], line["php"]["below"]),
        postgresql=VersionRange(line["postgresql"]["from"], line["postgresql"]["below"]),
        upgrades_from=frozenset(line["upgrades_from"]),
        end_of_life=line.get("end_of_life"),
    )
