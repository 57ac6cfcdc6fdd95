"""The catalogue's data is well formed, and says of the applications what its sources say."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
import yaml

from provisioner.errors import ExitCode, UsageError
from provisioner.releases import catalogue as room
from provisioner.releases.catalogue import Catalogue, Release
from provisioner.releases.versions import is_of_line, parse_version

DATA = sorted(Path(room.__file__).parent.glob("*.yml"))
RELEASES = [release for name in Catalogue.load().applications for release in Catalogue.load().releases(name)]


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.file_name)
def test_every_release_is_complete(release: Release) -> None:
    assert release.url.startswith("https://")
    assert release.own_version in release.url
    if release.package:
        assert release.file_name == f"{release.name}_{release.own_version}_all.deb"
        assert not release.signature_url
    else:
        assert release.file_name.endswith((".tar.bz2", ".tar.gz"))
        assert release.signature_url.startswith("https://")
    assert release.signing_key is None or re.fullmatch("[0-9A-F]{40}", release.signing_key.fingerprint)
    assert release.code_signing is None or re.fullmatch("[0-9a-f]{64}", release.code_signing.root_sha256)
    assert release.digest is None or re.fullmatch("[0-9a-f]{64}", release.digest.sha256)
    assert release.digest is None or release.digest.source
    assert re.fullmatch("[A-Z]{2}", release.vendor.country)
    assert release.end_of_life is None or isinstance(release.end_of_life, date)
    assert release.needs
    for accepted in release.needs.values():
        assert parse_version(accepted.start) < parse_version(accepted.below)
    assert release.upgrades_from == (set() if release.package else {release.major - 1})
    if limit := release.unlicensed_users:
        assert limit.warns_from is None or limit.warns_from < limit.most


@pytest.mark.parametrize("path", DATA, ids=lambda path: path.stem)
def test_data_has_no_key_that_nobody_reads(path: Path) -> None:
    data = yaml.safe_load(path.read_bytes())
    assert path.stem == data["application"]
    assert set(data) <= {"application", "vendor", "signing_key", "code_signing", "lines", "editions"}
    for line in data["lines"].values():
        facts = {"upgrades_from", "end_of_life", "unlicensed_users", "free_sign_on", "entry"}
        assert set(line) <= {*room.NEEDS, *facts}
    used = set()
    for edition in data["editions"].values():
        assert set(edition) - {"signature"} == {"product", "licence", "archive", "default", "releases"}
        assert edition["default"] in edition["releases"]
        for version, own in edition["releases"].items():
            parts = own.get("packages", {})
            assert set(own) <= ({"packages"} if parts else {"digest"})
            assert all({"version"} <= set(part) <= {"version", "digest"} for part in parts.values())
            (line,) = [name for name in data["lines"] if is_of_line(version, name)]
            used.add(line)
    assert used == set(data["lines"])


@pytest.mark.parametrize("path", DATA, ids=lambda path: path.stem)
def test_no_digest_stands_twice(path: Path) -> None:
    digests = re.findall("sha256: ([0-9a-f]{64})", path.read_text())
    assert len(digests) == len(set(digests))


def test_the_default_of_nextcloud_is_the_release_that_both_debians_run() -> None:
    catalogue = Catalogue.load()
    assert catalogue.release("nextcloud") is catalogue.release("nextcloud", "34.0.1")
    key = catalogue.release("nextcloud").signing_key
    assert key and key.fingerprint == "28806A878AE423A28372792ED75899B9A724937A"


@pytest.mark.parametrize("edition", ["team", "enterprise"])
def test_the_default_of_mattermost_is_an_extended_support_release_with_a_digest(edition: str) -> None:
    release = Catalogue.load().release("mattermost", edition=edition)
    assert release.version.startswith("11.7.")
    assert release.digest
    assert release.edition == edition
    assert ("-team-" in release.file_name) == (edition == "team")
    assert (release.vendor.name, release.vendor.country) == ("Mattermost, Inc.", "US")


def test_mattermost_is_the_team_edition_where_no_edition_is_named() -> None:
    assert Catalogue.load().release("mattermost").edition == "team"


def test_a_release_of_jitsi_is_four_packages_with_their_digests() -> None:
    archives = Catalogue.load().archives("jitsi")
    assert [release.name for release in archives] == [
        *("jitsi-meet-web", "jitsi-meet-prosody", "jicofo", "jitsi-videobridge2")
    ]  # fmt: skip
    assert {release.version for release in archives} == {"2.0.11031"}
    assert all(release.digest for release in archives)
    assert Catalogue.load().release("jitsi") is archives[0]
    assert (archives[0].vendor.name, archives[0].vendor.country) == ("8x8, Inc.", "US")


def test_versions_are_in_order() -> None:
    for editions in Catalogue.load().editions.values():
        for edition in editions.values():
            assert list(edition.releases) == sorted(edition.releases, key=parse_version)


def test_the_catalogue_is_read_once() -> None:
    assert Catalogue.load() is Catalogue.load()


@pytest.mark.parametrize(
    ("application", "version", "hint"),
    [
        ("nextclud", None, "did you mean nextcloud?"),
        ("nextcloud", "34.0.11", "did you mean 34.0.1?"),
        ("nextcloud", "1", "it knows "),
        ("mattermost", "11.7.8", "did you mean 11.7.9?"),
    ],
)
def test_what_is_not_there_is_refused_with_a_suggestion(
    application: str, version: str | None, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        Catalogue.load().release(application, version)
    assert caught.value.exit_code is ExitCode.USAGE
    assert hint in (caught.value.hint or "")


def test_an_edition_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="no mattermost edition teem") as caught:
        Catalogue.load().release("mattermost", edition="teem")
    assert "did you mean team?" in (caught.value.hint or "")
