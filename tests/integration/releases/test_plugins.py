"""Plugins from a folder into the cache, and out of it for whom they were let in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from doubles.vendor import digest_of, pack

from provisioner.cli import run
from provisioner.errors import ExitCode, ReleaseNotTrusted
from provisioner.releases.cache import Cache
from provisioner.releases.catalogue.plugins import make_release
from provisioner.releases.obtaining import Sources, obtain

ID, VERSION = "example.zonnedael.votes", "1.2.3"


def make_archive(folder: Path, text: str = "") -> Path:
    manifest = {"id": ID, "name": "Votes", "version": VERSION, "webapp": {"bundle_path": "main.js"}}
    tree = {"plugin.json": json.dumps(manifest).encode(), "main.js": f"// {text}".encode()}
    return pack(tree, folder / f"{ID}-{VERSION}.tar.gz", root=ID)


@pytest.fixture
def media(tmp_path: Path) -> Path:
    make_archive(tmp_path / "media")
    return tmp_path / "media"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    monkeypatch.setenv("SOVSTACK_CACHE_DIR", str(tmp_path / "cache"))
    return Cache()


def trust(archive: Path, *options: str) -> int:
    return run(["releases", "trust", "mattermost", VERSION, str(archive), "--reason", "seen", *options])


def test_it_comes_from_a_folder_or_a_mirror_and_then_from_the_cache(media: Path, cache: Cache) -> None:
    digest = digest_of(media / f"{ID}-{VERSION}.tar.gz").sha256
    release = make_release(ID, VERSION, digest)
    assert obtain(release, cache, Sources(mirror=media.as_uri())).origin == "mirror"
    obtained = obtain(release, cache, Sources())
    assert (obtained.origin, obtained.sha256, obtained.trust) == ("cache", digest, None)
    assert {gate.name: str(gate.verdict) for gate in obtained.gates} == {
        "digest": "pass", "openpgp": "not assessed", "archive": "pass", "identity": "pass",
    }  # fmt: skip


def test_a_missing_one_is_looked_for_in_folders_alone_and_it_is_said_what_to_do(
    tmp_path: Path, cache: Cache
) -> None:
    sources = Sources(directory=tmp_path, mirror=tmp_path.as_uri())
    with pytest.raises(ReleaseNotTrusted, match="no source has it") as caught:
        obtain(make_release(ID, VERSION, "f" * 64), cache, sources)
    assert str(caught.value.details).count(f"{ID}-{VERSION}.tar.gz") == 2
    assert f"trust mattermost {VERSION} ARCHIVE --plugin {ID}" in str(caught.value.hint)


def test_without_a_digest_only_what_a_person_admitted_is_installed(media: Path, cache: Cache) -> None:
    archive = media / f"{ID}-{VERSION}.tar.gz"
    pinned, free = make_release(ID, VERSION, digest_of(archive).sha256), make_release(ID, VERSION)
    obtain(pinned, cache, Sources(directory=media))
    with pytest.raises(ReleaseNotTrusted, match="no digest of it is given"):
        obtain(free, cache, Sources(directory=media))
    assert trust(archive, "--plugin", ID) == ExitCode.DONE
    obtained = obtain(free, cache, Sources())
    assert obtained.origin == "cache"
    assert obtained.trust
    assert obtained.trust.why == "seen"
    assert obtained.trust.accepts == "no signature of a plugin is looked for; no digest of it is given"
    assert obtain(pinned, cache, Sources()).sha256 == obtained.sha256


def test_another_digest_than_the_profiles_is_not_used_whoever_admitted_it(
    media: Path, cache: Cache, tmp_path: Path
) -> None:
    other = make_archive(tmp_path / "other", "another one of the same name")
    assert trust(other, "--plugin", ID) == ExitCode.DONE
    pinned = make_release(ID, VERSION, digest_of(media / other.name).sha256)
    with pytest.raises(ReleaseNotTrusted) as caught:
        obtain(pinned, cache, Sources())
    assert f"another SHA-256, {digest_of(other).sha256}" in str(caught.value.details)
    with pytest.raises(ReleaseNotTrusted, match="digest: its SHA-256 is"):
        obtain(pinned, cache, Sources(directory=other.parent))
    assert obtain(pinned, cache, Sources(directory=media)).origin == "mirror"
    assert obtain(make_release(ID, VERSION), cache, Sources()).sha256 == digest_of(other).sha256


def test_list_shows_it_and_verify_reads_it_again(
    media: Path, cache: Cache, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = media / f"{ID}-{VERSION}.tar.gz"
    assert trust(archive, "--plugin", ID) == ExitCode.DONE
    capsys.readouterr()
    assert run(["releases", "list", "mattermost"]) == ExitCode.DONE
    assert f"mattermost-plugin {ID} {VERSION}\n    cached " in capsys.readouterr().out
    assert run(["releases", "list", "nextcloud"]) == ExitCode.DONE
    assert ID not in capsys.readouterr().out
    assert run(["releases", "list", "--output", "json"]) == ExitCode.DONE
    row = json.loads(capsys.readouterr().out)["releases"][-1]
    assert (row["plugin"], row["version"], row["licence"]) == (ID, VERSION, "unknown: its maker says")
    assert row["cached"]["trust"]["why"] == "seen"
    for arguments in ([], ["mattermost"], ["mattermost", VERSION], ["mattermost-plugin"]):
        assert run(["releases", "verify", *arguments]) == ExitCode.DONE
        assert f"mattermost-plugin {VERSION}  intact" in capsys.readouterr().out
    path = obtain(make_release(ID, VERSION), cache, Sources()).path
    path.chmod(0o644)
    path.write_bytes(b"rot")
    assert run(["releases", "verify"]) == ExitCode.RELEASE_NOT_TRUSTED
    assert str(path) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("application", "version", "options", "message"),
    [
        ("nextcloud", VERSION, ["--plugin", ID], "--plugin is for a plugin of mattermost"),
        ("mattermost", VERSION, ["--plugin", ID, "--edition", "team"], "has no edition"),
        ("mattermost", VERSION, ["--plugin", "../x"], "../x 1.2.3 is not the id of a plugin"),
        ("mattermost", "../1", ["--plugin", ID], "is not the version of a plugin"),
    ],
)
def test_wrong_command_lines(
    application: str, version: str, options: list[str], message: str, media: Path, cache: Cache,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    archive = str(media / f"{ID}-{VERSION}.tar.gz")
    code = run(["releases", "trust", application, version, archive, "--reason", "seen", *options])
    assert code == ExitCode.USAGE
    assert message in capsys.readouterr().err


def test_trust_admits_nothing_that_is_another_plugin_or_version(
    media: Path, cache: Cache, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = media / f"{ID}-{VERSION}.tar.gz"
    assert trust(archive, "--plugin", "com.example.tasks") == ExitCode.RELEASE_NOT_TRUSTED
    assert f"by its plugin.json it is {ID} {VERSION}, and com.example.tasks" in capsys.readouterr().err
    assert cache.entries() == ()
