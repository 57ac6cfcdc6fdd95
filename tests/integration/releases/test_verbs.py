"""``sovstack releases`` as people and programs call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from doubles.vendor import Vendor, make_release, make_tree, pack

from provisioner.cli import run
from provisioner.errors import ExitCode
from provisioner.releases.catalogue import Catalogue


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
    catalogue = Catalogue(
        {"nextcloud": {"34.0.1": release}}, {"nextcloud": "34.0.1"}, Catalogue.load().platforms
    )
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


def test_the_list_shows_what_each_release_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["releases", "list"]) == ExitCode.DONE
    out = capsys.readouterr().out
    assert "nextcloud 34.0.1 (default): PHP >= 8.2 and < 8.6, PostgreSQL >= 14 and < 19, Debian 12, 13" in out
    [default] = [row for row in answer(capsys, "list")["releases"] if row["default"]]  # type: ignore[attr-defined]
    assert default["version"] == "34.0.1"
    assert default["cached"] is None


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
    fetched = answer(capsys, "fetch", "nextcloud", "--no-upstream")
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


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["fetch", "nextclud"], "did you mean nextcloud?"),
        (["verify", "nextcloud", "34.0.9"], "did you mean"),
        (["list", "nothing"], "it knows nextcloud"),
        (["trust", "nextcloud", "34.0.1", "/dev/null"], "trust --help"),
        (["fetch", "nextcloud", "--releases-from", "/nonexistent"], "fetch --help"),
    ],
)
def test_wrong_command_lines(capsys: pytest.CaptureFixture[str], arguments: list[str], hint: str) -> None:
    assert run(["releases", *arguments]) == ExitCode.USAGE
    assert hint in capsys.readouterr().err
