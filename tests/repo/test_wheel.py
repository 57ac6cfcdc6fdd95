"""The wheel works where there is no checkout: it carries playbooks, roles and host checks, and finds them."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel without a network and unpack it into an environment of its own; return its Python."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
    ]
    subprocess.run([*build, "--wheel-dir", str(folder), str(CHECKOUT)], check=True, timeout=120)
    (wheel,) = folder.glob("sovstack-*.whl")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    python = folder / "venv" / "bin" / "python"
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
    ]
    subprocess.run([*install, str(wheel)], check=True, timeout=120)
    return python


def run(python: Path, *arguments: str) -> str:
    # Libraries come from this test's own environment, sovstack from the wheel: its folder is found first.
    libraries = os.pathsep.join(path for path in sys.path if path.endswith("site-packages"))
    ours = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    done = subprocess.run(
        [python, *arguments],
        cwd=python.parent,
        env={**os.environ, "PYTHONPATH": f"{ours}{os.pathsep}{libraries}"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_content_is_found_inside_the_wheel(installed: Path) -> None:
    listing = run(
        installed,
        "-c",
        "from provisioner.engine.content import locate; c = locate();"
        "print(c.playbooks, c.roles, c.infra_tests, c.ansible_cfg, sep='\\n')",
    ).splitlines()
    for path in map(Path, listing):
        assert path.is_relative_to(installed.parent.parent), f"{path} is not of the wheel"
        assert path.exists(), path
    playbooks, roles, infra, _ = map(Path, listing)
    assert {p.name for p in roles.iterdir()} >= {p.name for p in (CHECKOUT / "roles").iterdir() if p.is_dir()}
    assert (playbooks / "site.yml").is_file()
    assert (infra / "conftest.py").is_file()


def test_command_works_from_the_wheel(installed: Path) -> None:
    assert '"$defs"' in run(installed, "-m", "provisioner", "schema")


def test_catalogue_of_releases_is_in_the_wheel(installed: Path) -> None:
    assert "nextcloud" in run(installed, "-m", "provisioner", "releases", "list")
