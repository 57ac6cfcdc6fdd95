"""Mattermost's archives: the edition that was asked for is let in, the other one never, whatever its file is called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from doubles.vendor import digest_of, pack

from provisioner.releases.catalogue import Catalogue, Digest, Release
from provisioner.releases.gates import Assessment, Verdict, assess

TEAM = {"MIT-COMPILED-LICENSE.md": b"terms"}
ENTERPRISE = {"ENTERPRISE-EDITION-LICENSE.txt": b"terms"}
PROGRAMS = {"bin/mattermost": b"\x7fELF", "bin/mmctl": b"\x7fELF", "client/root.html": b"<!doctype html>"}


def release_of(edition: str, version: str | None = None) -> Release:
    return Catalogue.load().release("mattermost", version, edition)


def judge(path: Path, release: Release) -> Assessment:
    return assess(path, digest_of(path).sha256, release, signature=None, key=None)


def identity(assessment: Assessment) -> tuple[Verdict, str]:
    [gate] = [gate for gate in assessment.gates if gate.name == "identity"]
    return gate.verdict, gate.summary


@pytest.mark.parametrize(("edition", "licence"), [("team", TEAM), ("enterprise", ENTERPRISE)])
def test_the_edition_that_was_asked_for_passes(
    edition: str, licence: dict[str, bytes], tmp_path: Path
) -> None:
    path = pack(PROGRAMS | licence, tmp_path / "a.tar.gz", root="mattermost")
    release = replace(release_of(edition), digest=digest_of(path))
    assessment = judge(path, release)
    assert identity(assessment) == (
        Verdict.PASS,
        f"it says that it is Mattermost {edition.capitalize()} Edition",
    )
    assert assessment.doubts == assessment.unacceptable == ()


@pytest.mark.parametrize(
    ("edition", "licence", "why"),
    [
        ("team", ENTERPRISE, "it is Enterprise Edition, and Team Edition was asked for"),
        ("enterprise", TEAM, "it is Team Edition, and Enterprise Edition was asked for"),
        ("team", TEAM | ENTERPRISE, "it is Team Edition and Enterprise Edition, and Team"),
        ("team", {}, "it is no edition, and Team"),
    ],
)
def test_another_edition_is_refused_and_nobody_may_accept_it(
    edition: str, licence: dict[str, bytes], why: str, tmp_path: Path
) -> None:
    path = pack(PROGRAMS | licence, tmp_path / "a.tar.gz", root="mattermost")
    assessment = judge(path, replace(release_of(edition), digest=digest_of(path)))
    assert identity(assessment)[0] is Verdict.FAIL
    assert any(why in reason for reason in assessment.unacceptable), assessment.unacceptable


@pytest.mark.parametrize("root", ["mattermost", "focalboard"])
def test_what_is_no_server_is_refused(root: str, tmp_path: Path) -> None:
    tree = PROGRAMS | TEAM
    if root == "mattermost":
        del tree["bin/mmctl"]
    assessment = judge(pack(tree, tmp_path / "a.tar.gz", root=root), release_of("team"))
    assert any("it is no Mattermost server" in reason for reason in assessment.unacceptable)


def test_a_development_version_waits_for_a_person(tmp_path: Path) -> None:
    """Nothing public vouches for what was built from a source tree: not by itself, but on somebody's word."""
    path = pack(PROGRAMS | TEAM, tmp_path / "a.tar.gz", root="mattermost")
    assessment = judge(path, release_of("team", "10.9.0"))
    assert [gate.name for gate in assessment.doubts] == ["digest", "openpgp"]
    assert assessment.unacceptable == ()


def test_another_digest_than_the_known_one_is_final(tmp_path: Path) -> None:
    path = pack(PROGRAMS | TEAM, tmp_path / "a.tar.gz", root="mattermost")
    assessment = judge(path, replace(release_of("team"), digest=Digest("f" * 64, "test")))
    assert assessment.unacceptable[0].startswith("digest: ")


def test_a_double_is_known_as_one_and_of_the_edition_that_it_stands_for(tmp_path: Path) -> None:
    double = PROGRAMS | TEAM | {"SOVSTACK-CONTRACT-DOUBLE": b""}
    path = pack(double, tmp_path / "a.tar.gz", root="mattermost")
    assessment = judge(path, release_of("team"))
    assert [gate.name for gate in assessment.gates] == ["archive", "identity", "contract double"]
    assert assessment.is_double
    assert assessment.unacceptable == ()
    assert judge(path, release_of("enterprise")).unacceptable
