"""Long lines break between words on a terminal, and nowhere else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios

import pytest

from provisioner.cli.terminal import fold

LONG = "error: the key of main is another one than the one in /srv/inventories/gemeente/known_hosts, so stop"


@pytest.mark.parametrize(
    ("text", "width", "folded"),
    [
        ("short", 20, "short"),
        ("one two three four", 10, "one two\n  three\n  four"),
        ("  one two three", 10, "  one two\n    three"),
        ("a\n\n  b c d e f g", 9, "a\n\n  b c d e\n    f g"),
        ("see /a/very-long/path/of-one-word here", 12, "see\n  /a/very-long/path/of-one-word\n  here"),
        ("main  nginx     3   1", 80, "main  nginx     3   1"),
        ("one two three four", 0, "one two three four"),
    ],
)
def test_fold(text: str, width: int, folded: str) -> None:
    assert fold(text, width) == folded


def said(stream: int, width: int) -> bytes:
    """Return what a process that says ``LONG`` on a terminal of that width writes on it."""
    program = f"from provisioner.cli.terminal import say; say({LONG!r}, err={stream == 2})"
    ours, theirs = pty.openpty()
    try:
        termios.tcsetwinsize(theirs, (24, width))
        subprocess.run(
            [sys.executable, "-c", program], check=True, **{["", "stdout", "stderr"][stream]: theirs}
        )  # type: ignore[call-overload]
        return os.read(ours, 4096)
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("stream", [1, 2])
def test_a_terminal_s_own_width_counts(stream: int) -> None:
    lines = said(stream, 60).decode().replace("\r\n", "\n").splitlines()
    assert len(lines) == 2
    assert all(len(line) <= 60 for line in lines)
    assert said(stream, 200).decode().rstrip() == LONG


def test_a_pipe_gets_lines_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    program = f"from provisioner.cli.terminal import say; say({LONG!r})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == f"{LONG}\n"
