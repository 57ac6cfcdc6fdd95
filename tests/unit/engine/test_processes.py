"""Every process of a run is ended, whatever it did to get away; others are not touched."""

from __future__ import annotations

import subprocess
import sys

from provisioner.engine.processes import MARK, end_marked

STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.setsid()
print(1, flush=True)
time.sleep(60)
"""


def test_ends_what_is_marked_and_nothing_else() -> None:
    marked = subprocess.Popen(["sleep", "60"], env={MARK: "run-1"}, start_new_session=True)
    other = subprocess.Popen(["sleep", "60"], env={MARK: "run-2"})
    try:
        assert end_marked("run-1") == 1
        assert marked.wait(timeout=5) == -15
        assert other.poll() is None
    finally:
        marked.kill()
        other.kill()
        other.wait()


def test_kills_what_does_not_listen() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STUBBORN], env={MARK: "run-3"}, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        assert end_marked("run-3") == 1
        assert process.wait(timeout=5) == -9


def test_nothing_to_end() -> None:
    assert end_marked("run-none") == 0
