"""``sovstack releases`` as people and programs call it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from doubles.vendor import Vendor, digest_of, make_release, make_tree, pack

from provisioner.cli import run
from provisioner.errors import ExitCode
from provisioner.releases.catalogue import Catalogue, Edition


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOVSTACK_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
def incomplete(vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive that lacks a file, of a release that the catalogue knows."""
    release = make_release(code_signing=vendor.code_signing)
    edition = Edition({"34.0.1": (release,)}, "34.0.1")
    catalogue = Catalogue({"nextcloud": {"community": edition}}, Catalogue.load().platforms)
    monkeypatch.setattr(Catalogue, "load", lambda: catalogue)
    tree = vendor.sign_tree(make_tree())
    del tree["core/fonts/big.ttf"]
    return pack(tree, tmp_path / "media" / release.file_name)


def answer(
    capsys: pytest.CaptureFixture[str], *arguments: str, code: int = ExitCode.DONE
) -> dict[str, object]:
    assert run(["releases", *arguments, "--output", "json"]) == code
    document: dict[str, object] = json.loads(capsys.readouterr().out)
    assert document["format_version"] == 1
    return document


def archive_of(document: dict[str, object]) -> dict[str, object]:
    (archive,) = document["archives"]  # type: ignore[misc, attr-defined]
    return dict(archive)


def test_the_list_shows_what_each_release_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["releases", "list"]) == ExitCode.DONE
    out = capsys.readouterr().out
    assert "nextcloud 34.0.1 (default): PHP >= 8.2 and < 8.6, PostgreSQL >= 14 and < 19, Debian 12, 13" in out
    assert "mattermost 11.7.9 team (default): PostgreSQL >= 14 and < 18, Debian 12, 13, supported to" in out
    rows = answer(capsys, "list")["releases"]
    defaults = [row for row in rows if row["default"]]  # type: ignore[attr-defined]
    assert [(row["application"], row["edition"], row["version"]) for row in defaults] == [
        *[("jitsi", "community", "2.0.11031")] * 4,
        ("mattermost", "team", "11.7.9"), ("mattermost", "enterprise", "11.7.6"), ("nextcloud", "community", "34.0.1"),
    ]  # fmt: skip
    assert not any(row["cached"] for row in defaults)


def test_trust_says_what_is_accepted_and_list_and_verify_show_it(
    capsys: pytest.CaptureFixture[str], incomplete: Path, tmp_path: Path
) -> None:
    refused = answer(
        capsys, "fetch", "nextcloud", "--releases-from", str(incomplete.parent), "--no-upstream", code=7
    )
    assert refused["error"]["exit_code"] == 7  # type: ignore[index]
    assert (
        run(["releases", "trust", "nextcloud", "34.0.1", str(incomplete), "--reason", "it is all we have"])
        == 0
    )
    captured = capsys.readouterr()
    assert "accepting 1 files absent, 0 altered, 0 extra" in captured.out
    assert "absent core/fonts/big.ttf" in captured.out
    assert "copying" in captured.err
    [row] = answer(capsys, "list", "nextcloud")["releases"]  # type: ignore[misc]
    assert row["cached"]["trust"]["why"] == "it is all we have"  # type: ignore[index]
    fetched = archive_of(answer(capsys, "fetch", "nextcloud", "--no-upstream"))
    assert fetched["origin"] == "cache"
    assert answer(capsys, "verify")["releases"][0]["intact"] is True  # type: ignore[index]

    path = Path(str(fetched["path"]))
    path.chmod(0o644)
    path.write_bytes(b"rot")
    assert answer(capsys, "verify", code=7)["releases"][0]["intact"] is False  # type: ignore[index]
    assert run(["releases", "verify", "nextcloud", "34.0.1"]) == ExitCode.RELEASE_NOT_TRUSTED
    captured = capsys.readouterr()
    assert "DAMAGED" in captured.out
    assert str(path) in captured.err


def test_a_build_of_a_source_tree_is_admitted_on_a_word_and_only_as_the_edition_that_it_is(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    tree = {"bin/mattermost": b"", "bin/mmctl": b"", "MIT-COMPILED-LICENSE.md": b""}
    archive = str(pack(tree, tmp_path / "media/built-here.tar.gz", root="mattermost"))
    arguments = ["trust", "mattermost", "10.9.0", archive, "--reason", "built here from the public source"]
    admitted = archive_of(answer(capsys, *arguments))
    assert admitted["edition"] == "team"
    assert admitted["trust"]["accepts"] == (  # type: ignore[index]
        "no public source confirms the vendor's key; no public source confirms a digest of this release"
    )
    fetched = archive_of(answer(capsys, "fetch", "mattermost", "10.9.0", "--no-upstream"))
    assert (fetched["origin"], fetched["sha256"]) == ("cache", admitted["sha256"])

    arguments = [
        "trust",
        "mattermost",
        "11.7.9",
        archive,
        "--edition",
        "enterprise",
        "--reason",
        "it is no other",
    ]
    assert run(["releases", *arguments]) == ExitCode.RELEASE_NOT_TRUSTED
    assert "it is Team Edition, and Enterprise Edition was asked for" in capsys.readouterr().err


def test_two_editions_of_one_version_are_kept_apart(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for edition, licence in (
        ("team", "MIT-COMPILED-LICENSE.md"),
        ("enterprise", "ENTERPRISE-EDITION-LICENSE.txt"),
    ):
        release = Catalogue.load().release("mattermost", "11.7.9", edition)
        tree = {"bin/mattermost": edition.encode(), "bin/mmctl": b"", licence: b""}
        path = pack(tree, tmp_path / "media" / release.file_name, root="mattermost")
        known = Edition({"11.7.9": (replace(release, digest=digest_of(path)),)}, "11.7.9")
        other = Catalogue.load().editions["mattermost"]
        catalogue = Catalogue({"mattermost": {**other, edition: known}}, Catalogue.load().platforms)
        monkeypatch.setattr(Catalogue, "load", lambda catalogue=catalogue: catalogue)
    source = ["--releases-from", str(tmp_path / "media"), "--no-upstream"]
    fetched = [
        archive_of(answer(capsys, "fetch", "mattermost", "11.7.9", "--edition", edition, *source))
        for edition in ("team", "enterprise", "team")
    ]
    assert [one["origin"] for one in fetched] == ["mirror", "mirror", "cache"]
    assert fetched[0]["sha256"] == fetched[2]["sha256"] != fetched[1]["sha256"]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["fetch", "nextclud"], "did you mean nextcloud?"),
        (["verify", "nextcloud", "34.0.9"], "did you mean"),
        (["fetch", "mattermost", "--edition", "teem"], "did you mean team?"),
        (["list", "nothing"], "it knows jitsi, mattermost, nextcloud"),
        (["trust", "nextcloud", "34.0.1", "/dev/null"], "trust --help"),
        (["fetch", "nextcloud", "--releases-from", "/nonexistent"], "fetch --help"),
    ],
)
def test_wrong_command_lines(capsys: pytest.CaptureFixture[str], arguments: list[str], hint: str) -> None:
    assert run(["releases", *arguments]) == ExitCode.USAGE
    assert hint in capsys.readouterr().err
