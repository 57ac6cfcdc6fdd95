"""Archives are read without being unpacked, and hostile ones are refused."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from doubles.vendor import pack

from provisioner.errors import ExitCode, ReleaseNotTrusted
from provisioner.releases import archive
from provisioner.releases.archive import Inspection, inspect

Entry = tuple[tarfile.TarInfo, bytes]


def entry(name: str, data: bytes = b"", **changes: object) -> Entry:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for attribute, value in changes.items():
        setattr(info, attribute, value)
    return info, data


def tar(*entries: Entry) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as file:
        for info, data in entries:
            file.addfile(info, io.BytesIO(data))
    return content.getvalue()


GOOD = (entry("nextcloud", type=tarfile.DIRTYPE), entry("nextcloud/occ", b"occ", mode=0o755))


def read(path: Path, content: bytes) -> Inspection:
    path.write_bytes(content)
    return inspect(path, lambda name: name == "occ")


@pytest.fixture(params=["lbzip2", "without lbzip2"])
def _decompressor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without lbzip2":
        monkeypatch.setattr(archive.shutil, "which", lambda program: None)
    elif shutil.which("lbzip2") is None:
        pytest.skip("lbzip2 is not installed")


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress], ids=["plain", "gzip", "bzip2"])
@pytest.mark.usefixtures("_decompressor")
def test_files_are_hashed_and_wanted_ones_kept(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    large = bytes(3 * 1024**2 + 1)
    content = tar(*GOOD, entry("nextcloud/lib/large", large), entry("nextcloud/empty"))
    found = read(tmp_path / "a.tar", compress(content))
    assert found.root == "nextcloud"
    assert set(found.files) == {"occ", "lib/large", "empty"}
    assert found.files["lib/large"].sha512 == hashlib.sha512(large).hexdigest()
    assert found.files["occ"].executable
    assert not found.files["empty"].executable
    assert found.kept == {"occ": b"occ"}
    assert not found.is_double


def test_a_double_is_known_by_its_marker(tmp_path: Path) -> None:
    path = pack({"SOVSTACK-CONTRACT-DOUBLE": b"", "occ": b""}, tmp_path / "a.tar.bz2")
    assert inspect(path, lambda name: False).is_double


def test_a_link_inside_the_release_is_reported(tmp_path: Path) -> None:
    link = entry("nextcloud/a/link", type=tarfile.SYMTYPE, linkname="../occ")
    hard = entry("nextcloud/hard", type=tarfile.LNKTYPE, linkname="nextcloud/occ")
    assert read(tmp_path / "a.tar", tar(*GOOD, link, hard)).links == {"a/link", "hard"}


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (entry("../outside"), "outside the release's folder"),
        (entry("nextcloud/../../outside"), "outside the release's folder"),
        (entry("/etc/passwd"), "outside the release's folder"),
        (entry("nextcloud/./occ2"), "outside the release's folder"),
        (entry("nextcloud//occ2"), "outside the release's folder"),
        (entry("other/file"), "outside the release's folder nextcloud/"),
        (entry("nextcloud"), "outside the release's folder"),
        (entry("nextcloud/occ", b"another"), "is there twice"),
        (entry("nextcloud/disk", type=tarfile.BLKTYPE), "neither a file, a folder nor a link"),
        (entry("nextcloud/null", type=tarfile.CHRTYPE), "neither a file, a folder nor a link"),
        (entry("nextcloud/pipe", type=tarfile.FIFOTYPE), "neither a file, a folder nor a link"),
        (entry("nextcloud/su", mode=0o4755), "setuid or setgid"),
        (entry("nextcloud/sg", mode=0o2755), "setuid or setgid"),
        (entry("nextcloud/l", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "a link to /etc/passwd"),
        (entry("nextcloud/l", type=tarfile.SYMTYPE, linkname="../outside"), "outside the release's folder"),
        (entry("nextcloud/l", type=tarfile.SYMTYPE, linkname="a/../../x"), "outside the release's folder"),
        (entry("nextcloud/l", type=tarfile.LNKTYPE, linkname="../x"), "outside the release's folder"),
        (entry("nextcloud/l", type=tarfile.LNKTYPE, linkname="/etc/shadow"), "outside the release's folder"),
    ],
    ids=lambda value: value[0].name if isinstance(value, tuple) else "",
)
def test_hostile_entries_are_refused(tmp_path: Path, bad: Entry, why: str) -> None:
    with pytest.raises(ReleaseNotTrusted) as caught:
        read(tmp_path / "a.tar", tar(*GOOD, bad))
    assert why in caught.value.message
    assert caught.value.exit_code is ExitCode.RELEASE_NOT_TRUSTED


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    link = entry("nextcloud/a", type=tarfile.SYMTYPE, linkname="b")
    with pytest.raises(ReleaseNotTrusted, match="through a link"):
        read(tmp_path / "a.tar", tar(*GOOD, link, entry("nextcloud/a/x/file")))


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_MAX_UNPACKED", 1000)
    with pytest.raises(ReleaseNotTrusted, match="unpacked size"):
        read(tmp_path / "a.tar", bz2.compress(tar(*GOOD, entry("nextcloud/zeros", bytes(2000)))))
    monkeypatch.setattr(archive, "_MAX_MEMBERS", 3)
    with pytest.raises(ReleaseNotTrusted, match="one more than 3 entries"):
        read(tmp_path / "a.tar", tar(*GOOD, entry("nextcloud/a"), entry("nextcloud/b")))
    monkeypatch.setattr(archive, "_MAX_KEPT", 2)
    with pytest.raises(ReleaseNotTrusted, match="is larger than"):
        read(tmp_path / "a.tar", tar(*GOOD))


def test_a_header_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    long_name = entry("././@LongLink", type=tarfile.GNUTYPE_LONGNAME)[0]
    long_name.size = 5 * 1024**3
    content = tar(*GOOD)[: 512 * 3] + long_name.tobuf(tarfile.GNU_FORMAT) + bytes(10240)
    with pytest.raises(ReleaseNotTrusted) as caught:
        read(tmp_path / "a.tar", content)
    assert "extended header" in (caught.value.details or "")


@pytest.mark.usefixtures("_decompressor")
def test_damage_is_told_from_the_end(tmp_path: Path) -> None:
    good = tar(*GOOD, entry("nextcloud/last", bytes(100_000)))
    packed = bz2.compress(good)
    for content in (
        packed[: len(packed) // 2],
        packed[:-4],
        packed[:-10] + bytes(10),
        bz2.compress(good[: len(good) // 2]),
        bz2.compress(good + b"hidden" + bytes(506)),
        bz2.compress(good[: 512 * 3] + b"\xff" * 512 + good[512 * 3 :]),
    ):
        with pytest.raises(ReleaseNotTrusted, match="damaged"):
            read(tmp_path / "a.tar.bz2", content)


@pytest.mark.parametrize("content", [b"", b"not an archive", b"BZh9 not an archive either", bytes(10240)])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ReleaseNotTrusted):
        read(tmp_path / "a.tar.bz2", content)
