"""The cache lists whole entries or none, and notices what was changed behind its back."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from doubles.vendor import digest_of, make_release

from provisioner.errors import ReleaseNotTrusted, Unavailable
from provisioner.releases.cache import Cache, Entry, TrustRecord, explain_trouble, now
from provisioner.releases.gates import Gate, Verdict


def store(cache: Cache, content: bytes = b"archive", version: str = "34.0.1") -> Entry:
    release = make_release(version=version)
    incoming = cache.incoming(release, "a")
    incoming.write_bytes(content)
    entry = Entry(
        application="nextcloud",
        version=version,
        file_name=f"nextcloud-{version}.tar.bz2",
        sha256=digest_of(incoming).sha256,
        size=len(content),
        origin="mirror",
        source="/media/a",
        obtained_at=now(),
        gates=(Gate("identity", Verdict.PASS, "fine", ("one",)),),
        trust=TrustRecord("me@here", now(), "because", "1 files absent"),
    )
    cache.admit(incoming, entry)
    return entry


def test_what_was_stored_is_found_as_it_was(tmp_path: Path) -> None:
    entry = store(Cache(tmp_path))
    cache = Cache(tmp_path)
    assert cache.entries() == (entry,)
    assert cache.find(make_release()) == entry
    assert cache.find(make_release(version="34.0.2")) is None
    assert cache.path(entry).read_bytes() == b"archive"
    assert cache.path(entry).stat().st_mode & 0o777 == 0o444
    assert cache.is_intact(entry)


def test_an_empty_cache_is_no_error_and_makes_no_folder(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "releases")
    assert cache.entries() == ()
    assert not cache.root.exists()


def test_the_newest_archive_of_a_release_is_found(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    store(cache, b"first")
    second = store(cache, b"second")
    assert cache.find(make_release()) == second
    assert len(cache.entries()) == 2
    store(cache, b"second")
    assert len(cache.entries()) == 2


@pytest.mark.parametrize("damage", [b"", b"archivE", None])
def test_damage_is_noticed(tmp_path: Path, damage: bytes | None) -> None:
    cache = Cache(tmp_path)
    path = cache.path(store(cache))
    path.chmod(0o644)
    path.unlink() if damage is None else path.write_bytes(damage)
    assert not cache.is_intact(cache.entries()[0])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format_version": 1, "entries": [{}]}', "\x00"])
def test_a_damaged_index_is_said_and_not_guessed(tmp_path: Path, text: str) -> None:
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(ReleaseNotTrusted, match="damaged"):
        Cache(tmp_path).entries()


def test_an_index_of_another_format_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text(json.dumps({"format_version": 2, "entries": []}))
    with pytest.raises(ReleaseNotTrusted, match="another version of sovstack"):
        Cache(tmp_path).entries()


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    versions = [f"34.0.{number}" for number in range(12)]
    threads = [
        threading.Thread(target=store, args=(Cache(tmp_path), version.encode(), version))
        for version in versions
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(entry.version for entry in Cache(tmp_path).entries()) == sorted(versions)
    assert not list(tmp_path.glob("index.json.*"))


def test_a_cache_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "releases")
    with pytest.raises(Unavailable, match="cannot be used"), explain_trouble(cache.root):
        cache.incoming(make_release(), "a")
