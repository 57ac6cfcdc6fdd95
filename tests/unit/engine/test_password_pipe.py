"""The password reaches whoever opens the pipe, and nothing is left."""

from __future__ import annotations

import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from provisioner.engine.password_pipe import serve_password


def test_every_reader_gets_the_password_and_then_the_end(tmp_path: Path) -> None:
    with serve_password(tmp_path / "pipe", "geheim 1") as pipe:
        assert stat.S_ISFIFO(pipe.stat().st_mode)
        assert stat.S_IMODE(pipe.stat().st_mode) == 0o600
        for _ in range(3):
            assert pipe.read_bytes() == b"geheim 1"
    assert not (tmp_path / "pipe").exists()


def test_who_reads_before_the_begin_waits_for_it(tmp_path: Path) -> None:
    begin = threading.Event()
    with ThreadPoolExecutor(1) as pool, serve_password(tmp_path / "pipe", "geheim 1", begin) as pipe:
        read = pool.submit(pipe.read_bytes)
        with pytest.raises(TimeoutError):
            read.result(0.3)
        begin.set()
        assert read.result(5) == b"geheim 1"


def test_ends_at_once_when_nobody_reads(tmp_path: Path) -> None:
    started = time.monotonic()
    with serve_password(tmp_path / "pipe", "x"):
        pass
    assert time.monotonic() - started < 1


def test_is_gone_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), serve_password(tmp_path / "pipe", "x"):
        raise KeyError
    assert not (tmp_path / "pipe").exists()


def test_a_slow_reader_gets_the_password_once(tmp_path: Path) -> None:
    with serve_password(tmp_path / "pipe", "geheim 1") as pipe, pipe.open("rb", buffering=0) as reader:
        begin = reader.read(1)
        time.sleep(0.5)
        assert (begin + reader.read()).decode() == "geheim 1"
