"""From a source into the cache, or not: the whole way of a release."""

from __future__ import annotations

import errno
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from doubles.nextcloud.build import build
from doubles.vendor import Signer, Vendor, digest_of, make_release, make_tree, pack

from provisioner.errors import ExitCode, ReleaseNotTrusted, Unavailable
from provisioner.releases import downloading
from provisioner.releases.cache import Cache
from provisioner.releases.catalogue import Digest, Release, SigningKey
from provisioner.releases.obtaining import Sources, obtain, trust
from provisioner.releases.progress import Progress, ignore

if TYPE_CHECKING:
    from conftest import FileServer

PADDING = random.Random(11).randbytes(400 * 1024)  # noqa: S311  padding


@dataclass
class Shop:
    """A vendor's folder with one release, its signature and the key."""

    vendor: Vendor
    signer: Signer
    release: Release
    folder: Path

    @property
    def archive(self) -> Path:
        return self.folder / self.release.file_name

    def put(self, tree: dict[str, bytes], *, sign: bool = True) -> Path:
        pack(tree, self.archive)
        if sign:
            self.signer.sign(self.archive)
        return self.archive

    def tree(self) -> dict[str, bytes]:
        return self.vendor.sign_tree(make_tree() | {"core/padding.bin": PADDING})


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Make keys, and a release that is signed with them, once."""
    folder = tmp_path_factory.mktemp("stock")
    shop = Shop(Vendor(), Signer(tmp_path_factory.mktemp("gpg") / "vendor"), make_release(), folder)
    shop.put(shop.tree())
    shop.signer.export(folder / "nextcloud.asc")
    return shop


@pytest.fixture
def shop(stock: Shop, server: FileServer) -> Shop:
    """Offer the release on the server."""
    release = make_release(
        url=f"{server.url}/nextcloud-34.0.1.tar.bz2",
        signature_url=f"{server.url}/nextcloud-34.0.1.tar.bz2.asc",
        signing_key=SigningKey(stock.signer.fingerprint, f"{server.url}/nextcloud.asc"),
        code_signing=stock.vendor.code_signing,
    )
    shutil.copytree(stock.folder, server.root, dirs_exist_ok=True)
    return replace(stock, release=release, folder=server.root)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache" / "releases")


def files_in(cache: Cache) -> list[str]:
    return sorted(
        path.relative_to(cache.root).as_posix()
        for path in cache.root.rglob("*")
        if path.is_file() and path.parts[-2] != "locks" and path.name != "index.lock"
    )


def test_from_upstream_then_from_the_cache(shop: Shop, cache: Cache, server: FileServer) -> None:
    first = obtain(shop.release, cache, Sources())
    assert first.origin == "upstream"
    assert first.path.read_bytes() == shop.archive.read_bytes()
    assert first.sha256 == digest_of(shop.archive).sha256
    assert first.trust is None
    assert {gate.name: str(gate.verdict) for gate in first.gates} == {
        "digest": "not assessed", "openpgp": "pass", "archive": "pass", "identity": "pass", "code signature": "pass",
    }  # fmt: skip
    asked = len(server.requests)
    second = obtain(shop.release, cache, Sources())
    assert second == replace(first, origin="cache")
    assert len(server.requests) == asked
    assert files_in(cache) == ["index.json", f"sha256/{first.sha256}/nextcloud-34.0.1.tar.bz2"]


@pytest.mark.parametrize("kind", ["directory", "http mirror", "file mirror"])
def test_from_a_folder_or_a_mirror(
    shop: Shop, cache: Cache, server: FileServer, tmp_path: Path, kind: str
) -> None:
    release = replace(
        shop.release,
        url="http://127.0.0.1:1/nextcloud-34.0.1.tar.bz2",
        signing_key=SigningKey(shop.signer.fingerprint, "http://127.0.0.1:1/nextcloud.asc"),
    )
    sources = {
        "directory": Sources(directory=server.root),
        "http mirror": Sources(mirror=f"{server.url}/"),
        "file mirror": Sources(mirror=server.root.as_uri()),
    }[kind]
    assert obtain(release, cache, sources).origin == "mirror"
    assert (len(server.requests) > 0) == (kind == "http mirror")


def test_sources_are_asked_in_order(shop: Shop, cache: Cache, server: FileServer, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    sources = Sources(directory=empty, mirror=f"{server.url}/absent")
    assert obtain(shop.release, cache, sources).origin == "upstream"
    assert [path for path, _ in server.requests] == [
        "/absent/nextcloud-34.0.1.tar.bz2", "/nextcloud-34.0.1.tar.bz2", "/nextcloud-34.0.1.tar.bz2.asc",
        "/nextcloud.asc",
    ]  # fmt: skip


def test_without_any_source_it_is_said_where_was_looked(shop: Shop, cache: Cache, tmp_path: Path) -> None:
    with pytest.raises(ReleaseNotTrusted, match="no source has it") as caught:
        obtain(shop.release, cache, Sources(directory=tmp_path, upstream=False))
    assert str(tmp_path / "nextcloud-34.0.1.tar.bz2") in (caught.value.details or "")


def test_a_given_key_goes_before_the_one_beside_the_archive(
    shop: Shop, cache: Cache, server: FileServer, tmp_path: Path
) -> None:
    (server.root / "nextcloud.asc").write_bytes(b"")
    with pytest.raises(ReleaseNotTrusted):
        obtain(shop.release, cache, Sources())
    key = shop.signer.export(tmp_path / "key")
    assert obtain(shop.release, cache, Sources(key=key)).origin == "upstream"


@pytest.mark.parametrize(
    "case",
    [
        "truncated", "corrupt", "unsigned", "signed by somebody else", "altered and signed anew",
        "incomplete", "another version", "no archive", "wrong digest",
    ],
)  # fmt: skip
def test_what_fails_a_gate_never_reaches_the_cache(
    shop: Shop, cache: Cache, tmp_path: Path, case: str
) -> None:
    release, content, tree = shop.release, shop.archive.read_bytes(), shop.tree()
    if case == "truncated":
        shop.archive.write_bytes(content[: len(content) // 2])
    elif case == "corrupt":
        middle = len(content) // 2
        shop.archive.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    elif case == "unsigned":
        (shop.folder / "nextcloud-34.0.1.tar.bz2.asc").unlink()
    elif case == "signed by somebody else":
        impostor = Signer(tmp_path / "impostor")
        impostor.sign(shop.archive)
        impostor.export(shop.folder / "nextcloud.asc")
    elif case == "altered and signed anew":
        shop.put(tree | {"index.php": b"<?php evil();"})
    elif case == "incomplete":
        del tree["core/padding.bin"]
        shop.put(tree)
    elif case == "another version":
        shop.put(shop.vendor.sign_tree(make_tree("34.0.0")))
    elif case == "no archive":
        shop.archive.write_bytes(b"<html>log in to the hotel's network</html>")
        shop.signer.sign(shop.archive)
    elif case == "wrong digest":
        release = replace(release, digest=Digest("0" * 64, "test"))
    with pytest.raises(ReleaseNotTrusted) as caught:
        obtain(release, cache, Sources())
    assert caught.value.exit_code is ExitCode.RELEASE_NOT_TRUSTED
    assert "nextcloud-34.0.1.tar.bz2" in caught.value.message
    assert files_in(cache) == []
    assert cache.entries() == ()


def test_a_bad_source_is_not_passed_over_in_silence(
    shop: Shop, cache: Cache, server: FileServer, tmp_path: Path
) -> None:
    bad = tmp_path / "bad"
    pack(shop.tree() | {"evil.php": b""}, bad / shop.release.file_name)
    with pytest.raises(ReleaseNotTrusted):
        obtain(shop.release, cache, Sources(directory=bad))
    assert server.requests == []


def test_a_damaged_cached_archive_is_fetched_again(shop: Shop, cache: Cache) -> None:
    first = obtain(shop.release, cache, Sources())
    first.path.chmod(0o644)
    first.path.write_bytes(b"rot")
    notes: list[str] = []
    second = obtain(shop.release, cache, Sources(), lambda progress: notes.append(progress.text))
    assert second.origin == "upstream"
    assert second.path.read_bytes() == shop.archive.read_bytes()
    assert "the cached nextcloud-34.0.1.tar.bz2 is damaged and is not used" in notes


def test_trust_admits_an_incomplete_archive_and_keeps_the_record(
    shop: Shop, cache: Cache, tmp_path: Path
) -> None:
    tree = shop.tree()
    del tree["core/fonts/big.ttf"]
    path = pack(tree, tmp_path / "usb" / "from-a-colleague.tar.bz2")
    trusted = trust(shop.release, path, cache, why="the ministry's copy")
    assert trusted.trust is not None
    assert trusted.trust.why == "the ministry's copy"
    assert trusted.trust.accepts.startswith("1 files absent, 0 altered, 0 extra")
    assert "@" in trusted.trust.who
    again = obtain(shop.release, cache, Sources(upstream=False))
    assert again.origin == "cache"
    assert again.trust == trusted.trust
    assert path.exists()


def test_trust_records_nothing_where_nothing_is_in_doubt(shop: Shop, cache: Cache) -> None:
    assert trust(shop.release, shop.archive, cache, why="to be sure").trust is None


@pytest.mark.parametrize("path", ["index.php", "evil.php", "config/evil.config.php"])
def test_trust_never_admits_altered_or_extra_code(
    shop: Shop, cache: Cache, tmp_path: Path, path: str
) -> None:
    bad = pack(shop.tree() | {path: b"<?php evil();"}, tmp_path / "bad" / shop.release.file_name)
    with pytest.raises(ReleaseNotTrusted, match=path):
        trust(shop.release, bad, cache, why="I am in a hurry")
    assert files_in(cache) == []


def test_trust_does_not_outweigh_a_signature_by_another_key(shop: Shop, cache: Cache, tmp_path: Path) -> None:
    Signer(tmp_path / "impostor").sign(shop.archive)
    with pytest.raises(ReleaseNotTrusted, match="not by the vendor's key"):
        trust(shop.release, shop.archive, cache, why="I am in a hurry")


def test_a_double_needs_leave_and_is_never_listed(shop: Shop, cache: Cache, tmp_path: Path) -> None:
    build(tmp_path / "doubles")
    sources = Sources(directory=tmp_path / "doubles")
    with pytest.raises(ReleaseNotTrusted, match="contract double"):
        obtain(shop.release, cache, sources)
    with pytest.raises(ReleaseNotTrusted, match="contract double"):
        trust(shop.release, tmp_path / "doubles" / shop.release.file_name, cache, why="please")
    obtained = obtain(shop.release, cache, replace(sources, allow_doubles=True))
    assert obtained.origin == "double"
    assert obtained.path.is_file()
    assert cache.entries() == ()


def test_a_double_of_another_version_is_refused(shop: Shop, cache: Cache, tmp_path: Path) -> None:
    build(tmp_path, "34.0.2").rename(tmp_path / shop.release.file_name)
    with pytest.raises(ReleaseNotTrusted, match=r"34\.0\.2"):
        obtain(shop.release, cache, Sources(directory=tmp_path, allow_doubles=True))


def _obtain_in_child(release: Release, root: Path, results: multiprocessing.Queue[str]) -> None:
    results.put(obtain(release, Cache(root), Sources()).origin)


def test_runs_at_the_same_time_download_once(shop: Shop, cache: Cache, server: FileServer) -> None:
    context = multiprocessing.get_context("fork")
    results: multiprocessing.Queue[str] = context.Queue()
    children = [
        context.Process(target=_obtain_in_child, args=(shop.release, cache.root, results)) for _ in range(4)
    ]
    for child in children:
        child.start()
    origins = sorted(results.get(timeout=60) for _ in children)
    for child in children:
        child.join()
    assert origins == ["cache", "cache", "cache", "upstream"]
    assert [path for path, _ in server.requests].count("/nextcloud-34.0.1.tar.bz2") == 1


def test_a_killed_download_is_continued(shop: Shop, cache: Cache, server: FileServer, tmp_path: Path) -> None:
    server.pace = threading.Event()
    child = multiprocessing.get_context("fork").Process(
        target=_obtain_in_child, args=(shop.release, cache.root, multiprocessing.Queue())
    )
    child.start()
    deadline = time.monotonic() + 30
    while not any(path.stat().st_size for path in cache.root.glob("incoming/*/*-nextcloud-34.0.1.tar.bz2")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(child.pid or 0, signal.SIGKILL)
    child.join()
    server.pace.set()
    assert obtain(shop.release, cache, Sources()).origin == "upstream"
    asked = [header for path, header in server.requests if path == "/nextcloud-34.0.1.tar.bz2"]
    assert asked[0] is None
    assert (asked[1] or "").startswith("bytes=")
    assert [name for name in files_in(cache) if name.startswith("incoming")] == []


def test_an_interrupted_check_does_not_download_again(shop: Shop, cache: Cache, server: FileServer) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.text.startswith("checking") and progress.done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        obtain(shop.release, cache, Sources(), interrupt)
    assert cache.entries() == ()
    obtain(shop.release, cache, Sources())
    asked = [header for path, header in server.requests if path == "/nextcloud-34.0.1.tar.bz2"]
    assert asked == [None, f"bytes={shop.archive.stat().st_size}-"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that is smaller than the release."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.root
def test_a_full_disk_is_said_and_leaves_nothing_half_done(
    shop: Shop, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(small_disk / "releases")
    with pytest.raises(Unavailable, match="is full") as caught:
        obtain(shop.release, cache, Sources())
    assert caught.value.exit_code is ExitCode.UNAVAILABLE
    assert "SOVSTACK_CACHE_DIR" in (caught.value.hint or "")
    # The same when the server does not say how large the file is, so that the disk fills under way.
    monkeypatch.setattr(downloading, "_require_room", lambda *arguments: None)
    with pytest.raises(Unavailable, match="is full"):
        obtain(shop.release, cache, Sources())
    assert cache.entries() == ()


def test_a_disk_that_fills_while_the_index_is_written(
    shop: Shop, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Unavailable, match="is full"):
        obtain(shop.release, cache, Sources())
    monkeypatch.undo()
    assert obtain(shop.release, cache, Sources()).origin == "upstream"


def test_asking_what_fits_does_not_load_the_network() -> None:
    """``validate`` has half a second for everything; this part of it must not load what only fetching needs."""
    code = (
        "import sys; from provisioner.releases import Catalogue, find_misfits; "
        "find_misfits(Catalogue.load().release('nextcloud'), debian=13); "
        "print(sorted({'cryptography', 'urllib.request', 'tarfile', 'ssl'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_progress_may_be_ignored(shop: Shop, cache: Cache) -> None:
    assert obtain(shop.release, cache, Sources(), ignore).sha256
