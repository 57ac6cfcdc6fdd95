"""The catalogue's data is well formed, and says of Nextcloud what its sources say."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
import yaml

from provisioner.errors import ExitCode, UsageError
from provisioner.releases import catalogue as room
from provisioner.releases.catalogue import Catalogue, Release
from provisioner.releases.versions import parse_version

DATA = sorted(Path(room.__file__).parent.glob("*.yml"))
RELEASES = [release for versions in Catalogue.load().releases.values() for release in versions.values()]


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: f"{release.application}-{release.version}")
def test_every_release_is_complete(release: Release) -> None:
    assert release.url.startswith("https://")
    assert release.signature_url.startswith("https://")
    assert release.version in release.url
    assert release.file_name.endswith((".tar.bz2", ".tar.gz"))
    assert re.fullmatch("[0-9A-F]{40}", release.signing_key.fingerprint)
    assert release.code_signing is None or re.fullmatch("[0-9a-f]{64}", release.code_signing.root_sha256)
    assert release.digest is None or re.fullmatch("[0-9a-f]{64}", release.digest.sha256)
    assert release.digest is None or release.digest.source
    assert re.fullmatch("[A-Z]{2}", release.vendor.country)
    assert release.end_of_life is None or isinstance(release.end_of_life, date)
    for accepted in (release.php, release.postgresql):
        assert parse_version(accepted.start) < parse_version(accepted.below)
    assert release.upgrades_from == {release.major - 1}


@pytest.mark.parametrize("path", DATA, ids=lambda path: path.stem)
def test_data_has_no_key_that_nobody_reads(path: Path) -> None:
    data = yaml.safe_load(path.read_bytes())
    assert path.stem == data["application"]
    assert set(data) <= {
        "application", "product", "edition", "licence", "vendor", "archive", "signature", "signing_key",
        "code_signing", "default", "majors", "releases",
    }  # fmt: skip
    for line in data["majors"].values():
        assert set(line) <= {"php", "postgresql", "upgrades_from", "end_of_life"}
    for own in data["releases"].values():
        assert set(own) <= {"digest"}
    used = {parse_version(version)[0] for version in data["releases"]}
    assert used == set(data["majors"])


@pytest.mark.parametrize("path", DATA, ids=lambda path: path.stem)
def test_no_digest_stands_twice(path: Path) -> None:
    digests = re.findall("sha256: ([0-9a-f]{64})", path.read_text())
    assert len(digests) == len(set(digests))


def test_the_default_of_nextcloud_is_the_release_that_both_debians_run() -> None:
    catalogue = Catalogue.load()
    assert catalogue.release("nextcloud") is catalogue.release("nextcloud", "34.0.1")
    assert (
        catalogue.release("nextcloud").signing_key.fingerprint == "28806A878AE423A28372792ED75899B9A724937A"
    )


def test_versions_are_in_order() -> None:
    for versions in Catalogue.load().releases.values():
        assert list(versions) == sorted(versions, key=parse_version)


def test_the_catalogue_is_read_once() -> None:
    assert Catalogue.load() is Catalogue.load()


@pytest.mark.parametrize(
    ("application", "version", "hint"),
    [
        ("nextclud", None, "did you mean nextcloud?"),
        ("nextcloud", "34.0.11", "did you mean 34.0.1?"),
        ("nextcloud", "1", "it knows "),
    ],
)
def test_what_is_not_there_is_refused_with_a_suggestion(
    application: str, version: str | None, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        Catalogue.load().release(application, version)
    assert caught.value.exit_code is ExitCode.USAGE
    assert hint in (caught.value.hint or "")
