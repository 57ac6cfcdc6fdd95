"""Downloads over a real connection: cut, continued, changed under way, refused."""

from __future__ import annotations

import errno
import os
import random
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provisioner.releases import downloading
from provisioner.releases.downloading import NotThereError, fetch
from provisioner.releases.progress import Progress, ignore

if TYPE_CHECKING:
    from conftest import FileServer

CONTENT = random.Random(7).randbytes(3 * 1024**2 + 17)  # noqa: S311  content


@pytest.fixture
def address(server: FileServer) -> str:
    (server.root / "file").write_bytes(CONTENT)
    return f"{server.url}/file"


def test_a_file_arrives_and_progress_is_told(address: str, tmp_path: Path) -> None:
    seen: list[Progress] = []
    fetch(address, tmp_path / "got", seen.append)
    assert (tmp_path / "got").read_bytes() == CONTENT
    assert seen[-1] == Progress("downloading file", len(CONTENT), len(CONTENT))
    assert [one.done for one in seen] == sorted(one.done or 0 for one in seen)


def test_a_cut_download_is_continued_where_it_stopped(
    address: str, server: FileServer, tmp_path: Path
) -> None:
    server.cut_after = [1_000_000, 500_000]
    fetch(address, tmp_path / "got", ignore)
    assert (tmp_path / "got").read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == [None, "bytes=1000000-", "bytes=1500000-"]


def test_a_later_call_continues_too(address: str, server: FileServer, tmp_path: Path) -> None:
    server.cut_after = [1_000_000] + [0] * 4
    with pytest.raises(NotThereError, match="ended early"):
        fetch(address, tmp_path / "got", ignore)
    assert (tmp_path / "got").stat().st_size == 1_000_000
    fetch(address, tmp_path / "got", ignore)
    assert (tmp_path / "got").read_bytes() == CONTENT
    assert server.requests[-1][1] == "bytes=1000000-"


def test_a_finished_download_is_not_repeated(address: str, server: FileServer, tmp_path: Path) -> None:
    fetch(address, tmp_path / "got", ignore)
    fetch(address, tmp_path / "got", ignore)
    assert (tmp_path / "got").read_bytes() == CONTENT
    assert server.requests[1:] == [("/file", f"bytes={len(CONTENT)}-")]


@pytest.mark.parametrize("change", ["no ranges", "no tags", "other content", "shorter content"])
def test_what_cannot_be_continued_begins_anew(
    address: str, server: FileServer, tmp_path: Path, change: str
) -> None:
    server.tags = change != "no tags"
    server.cut_after = [1_000_000] + [0] * 4
    with pytest.raises(NotThereError):
        fetch(address, tmp_path / "got", ignore)
    wanted = CONTENT
    server.ranges = change != "no ranges"
    if change.endswith("content"):
        wanted = b"new" + CONTENT if change == "other content" else b"short"
        (server.root / "file").write_bytes(wanted)
    fetch(address, tmp_path / "got", ignore)
    assert (tmp_path / "got").read_bytes() == wanted


def test_a_server_that_is_tired_for_a_moment_is_asked_again(
    address: str, server: FileServer, tmp_path: Path
) -> None:
    server.failures = [503, 502]
    fetch(address, tmp_path / "got", ignore)
    assert (tmp_path / "got").read_bytes() == CONTENT


@pytest.mark.parametrize("status", [404, 403, 410])
def test_a_refusal_is_not_repeated(address: str, server: FileServer, tmp_path: Path, status: int) -> None:
    server.failures = [status] * 9
    with pytest.raises(NotThereError, match=str(status)):
        fetch(address, tmp_path / "got", ignore)
    assert len(server.requests) == 1


def test_redirects_are_followed_to_http_but_not_to_files(
    address: str, server: FileServer, tmp_path: Path
) -> None:
    server.redirects = {"/old": "/file", "/away": "file:///etc/passwd", "/loop": "/loop"}
    fetch(f"{server.url}/old", tmp_path / "got", ignore)
    assert (tmp_path / "got").read_bytes() == CONTENT
    for path in ("/away", "/loop"):
        with pytest.raises(NotThereError):
            fetch(server.url + path, tmp_path / "other", ignore)
    assert not (tmp_path / "other").exists()


def test_nobody_listening_is_said(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(NotThereError, match=r"/file: Connection refused$"):
        fetch(f"http://127.0.0.1:{port}/file", tmp_path / "got", ignore)


@pytest.mark.parametrize(
    "address", ["ftp://127.0.0.1/file", "file:///etc/passwd", "http://", "http://[::1/x"]
)
def test_only_http_is_spoken(tmp_path: Path, address: str) -> None:
    with pytest.raises(NotThereError):
        fetch(address, tmp_path / "got", ignore)


def test_what_no_release_can_be_is_refused(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "_MAX_SIZE", 1_000_000)
    with pytest.raises(NotThereError, match="larger than"):
        fetch(address, tmp_path / "got", ignore)


def test_a_download_that_will_not_fit_is_not_begun(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = downloading.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(downloading.shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(OSError, match="are free") as caught:
        fetch(address, tmp_path / "got", ignore)
    assert caught.value.errno == errno.ENOSPC


def test_a_file_is_copied_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(CONTENT)
    fetch(str(tmp_path / "source"), tmp_path / "got", ignore)
    assert (tmp_path / "got").read_bytes() == CONTENT
    for absent in ("absent", "source/absent", ""):
        with pytest.raises(NotThereError):
            fetch(os.fspath(tmp_path / absent), tmp_path / "other", ignore)
