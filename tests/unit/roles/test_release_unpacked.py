"""The base role's module that unpacks a release: whole or not at all, ahead of time, and whoever is at work alone."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

MODULE = Path(__file__).parents[3] / "roles" / "base" / "library" / "release_unpacked.py"


def load() -> ModuleType:
    specification = importlib.util.spec_from_file_location(MODULE.stem, MODULE)
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules[MODULE.stem] = module
    specification.loader.exec_module(module)
    return module


unpacked = load()


class Module:
    """As much of an Ansible module as the release uses."""

    def __init__(self, **params: Any) -> None:
        """With these arguments."""
        self.params = {"ahead": False, "remove": [], "links": {}, "probe": [], "expect": [], **params}

    def sha256(self, path: str) -> str:
        """Digest of a file."""
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()

    def run_command(self, command: list[str], cwd: str) -> tuple[int, str, str]:
        """Run a command."""
        ended = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
        return ended.returncode, ended.stdout, ended.stderr


def pack(path: Path, mode: str = "w:bz2") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]  # the mode is one of its literals
        for name, content in {
            "app/config/CAN_INSTALL": b"",
            "app/program": b"#!/bin/sh\necho Version: 1\n",
        }.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o777
            tar.addfile(member, io.BytesIO(content))
    return path


Make = Callable[..., Any]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A release of the archive that is handed over already."""
    monkeypatch.setattr(unpacked, "JOBS", tmp_path / "jobs")

    def make(archive: Path, **params: Any) -> Any:
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        release = unpacked.Release(
            Module(**{"sha256": digest, "dest": str(tmp_path / "releases" / "1-abc"), **params})
        )
        if "archive" in release.wanted():
            with release.alone():
                release.take(archive)
        return release

    return make


def names(release: Any) -> list[str]:
    return sorted(path.name for path in release.dest.parent.iterdir())


def test_release_is_placed_as_the_role_wants_it_and_nothing_else_stays(make: Make, tmp_path: Path) -> None:
    release = make(
        pack(tmp_path / "a.archive"),
        remove=["config/CAN_INSTALL"],
        links={"custom_apps": "/opt/apps"},
        probe=["./program"],
        expect=["Version: 1"],
    )
    assert release.wanted() == ["release"]
    release.do()
    assert names(release) == ["1-abc"]
    assert not (release.dest / "config" / "CAN_INSTALL").exists()
    assert (release.dest / "custom_apps").readlink() == Path("/opt/apps")
    assert (release.dest / "program").stat().st_mode & 0o777 == 0o755
    assert release.wanted() == []


def test_what_was_begun_ahead_is_not_in_place_before_it_is_judged(make: Make, tmp_path: Path) -> None:
    ahead = make(pack(tmp_path / "a.archive"), ahead=True)
    ahead.do()
    assert ahead.wanted() == []
    assert not ahead.dest.exists()
    release = unpacked.Release(Module(**{**ahead.module.params, "ahead": False, "probe": ["./program"]}))
    assert release.wanted() == ["release"]
    (release.whole / "here").touch()
    release.do()
    assert (release.dest / "here").exists()  # it was not unpacked again
    assert names(release) == ["1-abc"]


def test_notes_of_having_begun_ahead_go_and_those_of_others_stay(make: Make, tmp_path: Path) -> None:
    jobs = tmp_path / "jobs"
    release = make(pack(tmp_path / "a.archive"))
    notes = {
        "ended": {"finished": 1, "invocation": {"module_args": {"dest": str(release.dest), "ahead": True}}},
        "another": {"finished": 1, "invocation": {"module_args": {"dest": "/opt/another/releases/2"}}},
        "running": {"started": 1, "finished": 0, "pid": 4711},
        "list": [],
    }
    jobs.mkdir()
    for name, note in notes.items():
        (jobs / name).write_text(json.dumps(note))
    (jobs / "torn").write_text("{")
    release.do()
    assert sorted(path.name for path in jobs.iterdir()) == ["another", "list", "running", "torn"]
    for path in jobs.iterdir():
        path.unlink()
    release.do()
    assert not jobs.exists()


def test_beginning_ahead_of_a_release_that_is_there_does_nothing(make: Make, tmp_path: Path) -> None:
    release = make(pack(tmp_path / "a.archive"))
    release.do()
    ahead = unpacked.Release(Module(**{**release.module.params, "ahead": True}))
    assert ahead.wanted() == []
    assert ahead.leftovers() == []


def test_another_archive_is_refused_and_asked_for_again(make: Make, tmp_path: Path) -> None:
    release = make(pack(tmp_path / "a.archive"), sha256="0" * 64)
    with pytest.raises(unpacked.Unusable, match="SHA-256 differs"):
        release.do()
    assert release.wanted() == ["archive", "release"]
    assert names(release) == []


@pytest.mark.parametrize(
    ("probe", "expect", "reason"),
    [
        (["false"], [], "`false` in it ended with 1"),
        (["./program"], ["Version: 2"], "does not say Version: 2"),
    ],
)
def test_what_is_not_what_was_asked_for_leaves_nothing(
    make: Make, tmp_path: Path, probe: list[str], expect: list[str], reason: str
) -> None:
    release = make(pack(tmp_path / "a.archive"), probe=probe, expect=expect)
    with pytest.raises(unpacked.Unusable, match=reason):
        release.do()
    assert not release.dest.exists()
    assert not release.whole.exists()


def test_archive_that_ends_too_early_leaves_nothing_unpacked(make: Make, tmp_path: Path) -> None:
    whole = pack(tmp_path / "a.archive").read_bytes()
    (tmp_path / "b.archive").write_bytes(whole[: len(whole) // 2])
    release = make(tmp_path / "b.archive")
    with pytest.raises(unpacked.Unusable, match="could not be unpacked"):
        release.do()
    assert names(release) == [release.archive.name]


@pytest.mark.parametrize("mode", ["w:bz2", "w:gz", "w:xz"])
def test_host_without_decompressors_has_python(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr(unpacked.shutil, "which", lambda _: None)
    release = make(pack(tmp_path / "a.archive", mode))
    release.do()
    assert (release.dest / "program").exists()


@pytest.mark.parametrize(
    ("head", "reason"),
    [(b"\x28\xb5\x2f\xfd", "none of zstd is installed"), (b"PK\x03\x04", "not a compressed tar")],
)
def test_archive_that_nothing_here_can_read_is_refused(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: bytes, reason: str
) -> None:
    monkeypatch.setattr(unpacked.shutil, "which", lambda _: None)
    (tmp_path / "a.archive").write_bytes(head + b"rest")
    with pytest.raises(unpacked.Unusable, match=reason):
        make(tmp_path / "a.archive").do()


def test_leftovers_of_other_releases_go(make: Make, tmp_path: Path) -> None:
    release = make(pack(tmp_path / "a.archive"))
    (release.dest.parent / ".partial-0-def" / "folder").mkdir(parents=True)
    (release.dest.parent / ".archive-0-def").touch()
    (release.dest.parent / "0-older").mkdir()
    assert len(release.leftovers()) == 2
    release.do()
    assert names(release) == ["0-older", "1-abc"]


@pytest.fixture
def busy(make: Make, tmp_path: Path) -> Iterator[tuple[Any, threading.Event]]:
    """A release at which somebody is at work until told to go on."""
    release, begun, go_on = make(pack(tmp_path / "a.archive")), threading.Event(), threading.Event()

    def work() -> None:
        with release.alone():
            begun.set()
            go_on.wait(20)
            release.do()

    worker = threading.Thread(target=work)
    worker.start()
    begun.wait(20)
    yield release, go_on
    go_on.set()
    worker.join()


def test_second_one_waits_for_the_first(busy: tuple[Any, threading.Event]) -> None:
    release, go_on = busy
    seen: list[list[str]] = []

    def wait() -> None:
        with release.alone():
            seen.append(release.wanted())

    waiter = threading.Thread(target=wait)
    waiter.start()
    waiter.join(0.2)
    assert waiter.is_alive()
    go_on.set()
    waiter.join(20)
    assert seen == [[]]
