"""Plugins as releases: what an archive says of itself is held against what was asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from doubles.vendor import digest_of, pack

from provisioner.errors import ReleaseNotTrusted
from provisioner.releases.catalogue.plugins import id_of, make_release
from provisioner.releases.gates import Assessment, Verdict, assess

ID, VERSION = "example.zonnedael.votes", "1.2.3"
MANIFEST = {"id": ID, "name": "Votes", "version": VERSION, "webapp": {"bundle_path": "webapp/main.js"}}
BUNDLE = {"webapp/main.js": b"window.registerPlugin('example.zonnedael.votes', {initialize() {}});"}


def tree(**changes: object) -> dict[str, bytes]:
    return {"plugin.json": json.dumps(MANIFEST | changes).encode(), **BUNDLE}


def judge(path: Path, sha256: str | None = None) -> Assessment:
    release = make_release(ID, VERSION, sha256)
    return assess(path, digest_of(path).sha256, release, signature=None, key=None)


def identity(assessment: Assessment) -> tuple[Verdict, str]:
    [gate] = [gate for gate in assessment.gates if gate.name == "identity"]
    return gate.verdict, gate.summary


def test_a_plugin_of_the_profiles_digest_passes(tmp_path: Path) -> None:
    path = pack(tree(), tmp_path / "a.tar.gz", root=ID)
    assessment = judge(path, digest_of(path).sha256)
    assert identity(assessment) == (Verdict.PASS, f"it says that it is the Mattermost plugin {ID} {VERSION}")
    assert assessment.doubts == assessment.unacceptable == ()


def test_without_a_digest_it_waits_for_a_person(tmp_path: Path) -> None:
    assessment = judge(pack(tree(), tmp_path / "a.tar.gz", root=ID))
    assert [(gate.name, gate.summary) for gate in assessment.doubts] == [
        ("digest", "no digest of it is given"),
        ("openpgp", "no signature of a plugin is looked for"),
    ]
    assert assessment.unacceptable == ()


def test_another_digest_is_final(tmp_path: Path) -> None:
    assessment = judge(pack(tree(), tmp_path / "a.tar.gz", root=ID), "f" * 64)
    assert assessment.unacceptable[0].startswith("digest: ")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (BUNDLE, "it has no votes/plugin.json, so it is no Mattermost plugin"),
        (
            tree(id="com.example.tasks"),
            "by its plugin.json it is com.example.tasks 1.2.3, and example.zonnedael.votes",
        ),
        (tree(version="1.2.4"), "1.2.4, and example.zonnedael.votes 1.2.3 was asked for"),
        (tree(version=1), "votes 1, and"),
        (tree() | {"plugin.yml": b"id: com.example.tasks"}, "it has both plugin.yml and plugin.json"),
        ({"plugin.json": b"{"}, "its plugin.json cannot be read"),
        ({"plugin.json": b"[" * 100_000}, "its plugin.json cannot be read"),
        ({"plugin.json": b"[]"}, "by its plugin.json it is nothing, and"),
        ({"plugin.yaml": b"id: *x"}, "its plugin.yaml cannot be read"),
        ({"plugin.yaml": b"\xff"}, "its plugin.yaml cannot be read"),
        # Mattermost would take the second id.
        (
            {"plugin.json": f'{{"id": "{ID}", "version": "{VERSION}", "ID": "other"}}'.encode()},
            "its plugin.json cannot be read",
        ),
        (tree(id="\x1b[2J"), "by its plugin.json it is \\x1b[2j 1.2.3, and"),
    ],
)
def test_what_it_says_it_is_has_to_be_what_was_asked_for(
    content: dict[str, bytes], why: str, tmp_path: Path
) -> None:
    path = pack(content, tmp_path / "a.tar.gz", root="votes")
    assessment = judge(path, digest_of(path).sha256)
    assert identity(assessment)[0] is Verdict.FAIL
    assert any(why in reason for reason in assessment.unacceptable), assessment.unacceptable


@pytest.mark.parametrize("name", ["plugin.yml", "plugin.yaml"])
def test_a_manifest_may_be_yaml_and_an_id_is_one_in_any_case(name: str, tmp_path: Path) -> None:
    path = pack(
        {name: f"id: {ID.upper()}\nversion: {VERSION}\n".encode()}, tmp_path / "a.tar.gz", root="votes"
    )
    assert judge(path, digest_of(path).sha256).doubts == ()


def test_a_hostile_archive_is_no_plugin(tmp_path: Path) -> None:
    with pytest.raises(ReleaseNotTrusted, match="outside the release's folder"):
        judge(pack(tree() | {"../../etc/cron.d/x": b""}, tmp_path / "a.tar.gz", root=ID))


def test_the_archive_is_named_after_the_plugin() -> None:
    release = make_release(ID, VERSION)
    assert release.file_name == f"{ID}-{VERSION}.tar.gz"
    assert id_of(release.file_name, VERSION) == ID
    assert release.name == f"mattermost-plugin {ID}"  # no application's and no package's name has a blank
