"""What sovstack knows about the releases of each application, read from the ``*.yml`` files in this folder.

The data says where a release comes from, how to know the real one, and what it needs. It is read once, when
it is asked for, so that commands that install nothing do not pay for it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import yaml

from provisioner.errors import UsageError
from provisioner.releases.versions import VersionRange, is_of_line, major, parse_version

_DATA = Path(__file__).parent
#: What a release may need of a platform, and how people call it.
NEEDS = {"php": "PHP", "postgresql": "PostgreSQL", "java": "Java", "prosody": "Prosody"}


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
class UserLimit:
    """How many active users a server without a licence bears: it warns from one number on."""

    warns_from: int | None
    most: int


@dataclass(frozen=True)
class Entry:
    """What a server with the licensed features and no licence is good for: messages that it shows, users it is for."""

    messages: int
    users_below: int


@dataclass(frozen=True)
class Package:
    """A Debian package that a release consists of, besides others: its name, and its own version."""

    name: str
    version: str


@dataclass(frozen=True)
class Release:
    """One archive of one version of an application: where it is had, how it is known, what it needs.

    Attributes:
        edition: Which of the vendor's builds it is.
        signature_url: Empty where the vendor signs no single archive.
        signing_key: None where no public source confirms the vendor's key.
        code_signing: None where the vendor does not sign single files.
        digest: None where no public source confirms one.
        needs: The versions it runs with, by the name in a platform, such as ``php``.
        upgrades_from: Majors that it can follow, besides its own.
        end_of_life: The last day with security updates, where the vendor announced it.
        unlicensed_users: None where users are not limited.
        free_sign_on: Which kinds of single sign-on the free edition has, as the application names them.
        entry: None where there is no such thing.
        package: Which part of the release this is; None where the release is one archive.
        plugin: The id of an application's plugin, which is a release by itself; empty for an application.
    """

    application: str
    product: str
    version: str
    edition: str
    licence: str
    vendor: Vendor
    url: str
    signature_url: str
    signing_key: SigningKey | None
    code_signing: CodeSigning | None
    digest: Digest | None
    needs: Mapping[str, VersionRange]
    upgrades_from: frozenset[int]
    end_of_life: date | None
    unlicensed_users: UserLimit | None = None
    free_sign_on: frozenset[str] = frozenset()
    entry: Entry | None = None
    package: Package | None = None
    plugin: str = ""

    @property
    def major(self) -> int:
        """Return the first number of the version."""
        return major(self.version)

    @property
    def name(self) -> str:
        """Return what is installed from the archive: a package of the release, a plugin, or the application."""
        if self.plugin:
            return f"{self.application} {self.plugin}"
        return self.package.name if self.package else self.application

    @property
    def own_version(self) -> str:
        """Return the archive's own version: of a package that, else the release's."""
        return self.package.version if self.package else self.version

    @property
    def title(self) -> str:
        """Return how people call it."""
        part = f" ({self.package.name} {self.package.version})" if self.package else ""
        return f"{self.product} {self.version}{part}"

    @property
    def file_name(self) -> str:
        """Return the archive's name, as upstream and a mirror have it."""
        return urlsplit(self.url).path.rpartition("/")[2]


@dataclass(frozen=True)
class Platform:
    """The versions that one Debian release brings, by name, such as ``php``."""

    debian: int
    brings: Mapping[str, str]


@dataclass(frozen=True)
class Edition:
    """One of an application's builds: its releases by version, in ascending order, and which is the default.

    A release is the archives that it consists of: one, or the packages that belong together.
    """

    releases: Mapping[str, tuple[Release, ...]]
    default: str


@dataclass(frozen=True)
class Catalogue:
    """All applications' releases.

    Attributes:
        editions: application -> edition -> its releases; the first edition is the default.
        platforms: Debian release -> what it brings.
    """

    editions: Mapping[str, Mapping[str, Edition]]
    platforms: Mapping[int, Platform]

    @classmethod
    def load(cls) -> Catalogue:
        """Return the catalogue that ships with this package; it is read at the first call only."""
        return _load(_DATA)

    @cached_property
    def applications(self) -> tuple[str, ...]:
        """Return the names of all applications, sorted."""
        return tuple(sorted(self.editions))

    def releases(self, application: str) -> tuple[Release, ...]:
        """Return all archives of an application's releases, edition by edition.

        Raises:
            UsageError: The catalogue does not have that application.
        """
        return tuple(
            release
            for edition in _look_up(self.editions, application, "application").values()
            for archives in edition.releases.values()
            for release in archives
        )

    def release(self, application: str, version: str | None = None, edition: str | None = None) -> Release:
        """Return a release's first archive, which tells what is true of the whole. Arguments as ``archives``."""
        return self.archives(application, version, edition)[0]

    def archives(
        self, application: str, version: str | None = None, edition: str | None = None
    ) -> tuple[Release, ...]:
        """Return the archives that a release consists of.

        By default that is of the application's first edition, and that edition's default version.

        Raises:
            UsageError: The catalogue does not have that application, edition or version.
        """
        editions = _look_up(self.editions, application, "application")
        name = edition or next(iter(editions))
        chosen = _look_up(editions, name, f"{application} edition")
        title = f"{application} {name}" if len(editions) > 1 else application
        return _look_up(chosen.releases, version or chosen.default, title)

    def is_default(self, release: Release) -> bool:
        """Say whether a release is what its edition's users get who name no version."""
        return self.editions[release.application][release.edition].default == release.version


_Found = TypeVar("_Found")


def _look_up(known: Mapping[str, _Found], name: str, kind: str) -> _Found:
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    listed = "it knows " + ", ".join(known)
    raise UsageError(
        f"the catalogue has no {kind} {name}",
        hint=f"did you mean {near[0]}? {listed}" if near else listed,
    )


@lru_cache(maxsize=1)
def _load(folder: Path) -> Catalogue:
    editions = {
        data["application"]: {name: _edition(data, name) for name in data["editions"]}
        for data in map(_read, sorted(folder.glob("*.yml")))
    }
    platforms = {
        number: Platform(number, brought)
        for number, brought in _read(folder / "platforms/debian.yml")["platforms"].items()
    }
    return Catalogue(editions, platforms)


def _read(path: Path) -> Any:  # noqa: ANN401  our own data; a unit test holds its form
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_bytes(), Loader=loader)  # noqa: S506  both are safe loaders


def _edition(data: Mapping[str, Any], name: str) -> Edition:
    own = data["editions"][name]
    versions = sorted(own["releases"], key=parse_version)
    return Edition({version: tuple(_archives(data, name, version)) for version in versions}, own["default"])


def _archives(data: Mapping[str, Any], edition: str, version: str) -> Iterator[Release]:
    own = data["editions"][edition]["releases"][version]
    if "packages" not in own:
        yield _release(data, edition, version, own)
    for name, part in own.get("packages", {}).items():
        yield _release(data, edition, version, part, Package(name, part["version"]))


def _release(
    data: Mapping[str, Any],
    edition: str,
    version: str,
    own: Mapping[str, Any],
    package: Package | None = None,
) -> Release:
    build = data["editions"][edition]
    line = data["lines"][next(name for name in data["lines"] if is_of_line(version, name))]
    key, signing = data.get("signing_key"), data.get("code_signing")
    limit = line.get("unlicensed_users")
    names = {"package": package.name, "version": package.version} if package else {"version": version}
    return Release(
        application=data["application"],
        product=build["product"],
        version=version,
        edition=edition,
        licence=build["licence"],
        vendor=Vendor(**data["vendor"]),
        url=build["archive"].format(**names),
        signature_url=build.get("signature", "").format(**names),
        signing_key=SigningKey(**key) if key else None,
        code_signing=CodeSigning(signing["root_sha256"].replace(":", "").lower()) if signing else None,
        digest=Digest(**own["digest"]) if own.get("digest") else None,
        needs={name: VersionRange(line[name]["from"], line[name]["below"]) for name in NEEDS if name in line},
        upgrades_from=frozenset(line["upgrades_from"]),
        end_of_life=line.get("end_of_life"),
        unlicensed_users=UserLimit(limit.get("warns_from"), limit["most"]) if limit else None,
        free_sign_on=frozenset(line.get("free_sign_on", ())),
        entry=Entry(**line["entry"]) if "entry" in line else None,
        package=package,
    )
