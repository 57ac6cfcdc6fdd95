"""script/setup when somebody stops it: it says nothing untrue, and does not build on half a package."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
# Stands in for Python, venv and pip; where a file says so, pip meets a Ctrl-C, which all of the terminal see.
PYTHON = """#!/bin/sh
case "$*" in
    "-m venv"*) rm -rf .venv && mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    "-m pip"*) [ ! -e ctrl-c ] || { trap 'exit 1' INT; touch .venv/half-a-package; kill -INT 0; } ;;
    --version) echo Python 3.11.2 ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    made, programs = tmp_path / "checkout", tmp_path / "bin"
    for name in ("script/setup", "requirements/runtime.txt", "pyproject.toml"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / name, made / name)
    programs.mkdir()
    for name, text in (("python3", PYTHON), ("dpkg-query", "#!/bin/sh\necho installed\n")):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    return made


def setup(checkout: Path) -> subprocess.CompletedProcess[str]:
    path = f"{checkout.parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["script/setup"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PATH": path},
        start_new_session=True,
        # Tests that run in the background have Ctrl-C ignored, and their children with them.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_an_interruption_is_no_failure_and_leaves_no_half_package(checkout: Path) -> None:
    (checkout / "ctrl-c").touch()
    stopped = setup(checkout)
    assert stopped.returncode == 130
    assert "could not" not in stopped.stderr
    (checkout / "ctrl-c").unlink()
    assert (checkout / ".venv/half-a-package").exists()
    again = setup(checkout)
    assert again.returncode == 0, again.stderr
    assert "making .venv" in again.stderr
    assert not (checkout / ".venv/half-a-package").exists()
    third = setup(checkout)
    assert third.returncode == 0
    assert "making" not in third.stderr
    assert "installing" not in third.stderr


def test_a_failed_installation_says_what_failed(checkout: Path) -> None:
    python = checkout.parent / "bin" / "python3"
    python.write_text(PYTHON.replace("[ ! -e ctrl-c ]", "exit 1; [ ! -e ctrl-c ]"))
    failed = setup(checkout)
    assert failed.returncode == 69
    assert "pip could not install requirements/runtime.txt" in failed.stderr
