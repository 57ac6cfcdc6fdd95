"""Small playbooks, run for real by ansible-runner on this computer, and what came of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from provisioner.engine import runner
from provisioner.engine.content import Content
from provisioner.engine.events import Event
from provisioner.engine.processes import end_marked
from provisioner.engine.runner import RunRequest, Transport

ROOT = Path(__file__).parents[3]
LOCAL = """
all:
  hosts:
    here:
      ansible_connection: local
      ansible_python_interpreter: /usr/bin/python3
"""

Request = Callable[..., RunRequest]


@pytest.fixture
def content(tmp_path: Path) -> Content:
    for name in ("playbooks", "roles"):
        (tmp_path / "content" / name).mkdir(parents=True)
    root = tmp_path / "content"
    return Content(root / "playbooks", root / "roles", root / "tests", ROOT / "ansible.cfg")


@pytest.fixture(params=list(Transport))
def transport(request: pytest.FixtureRequest) -> Transport:
    return Transport(request.param)


@pytest.fixture
def request_for(content: Content, tmp_path: Path) -> Generator[Request, None, None]:
    """Give a request for a playbook written down in the test; its processes end with the test."""
    scratch = tmp_path / "scratch"
    scratch.mkdir(mode=0o700)
    inventory = tmp_path / "inventory"
    inventory.mkdir()
    (inventory / "hosts.yml").write_text(LOCAL)

    def build(tasks: str, transport: Transport = Transport.SSH, **changes: object) -> RunRequest:
        text = "- name: Try\n  hosts: all\n  gather_facts: false\n" + textwrap.indent(
            textwrap.dedent(tasks), "  "
        )
        (content.playbooks / "site.yml").write_text(text)
        facts: dict[str, object] = {
            "content": content,
            "playbook": "site",
            "inventory": inventory,
            "scratch": scratch,
            "ssh_config": Path("/dev/null"),
            "transport": transport,
            "diff": True,
        }
        return RunRequest(**(facts | changes))  # type: ignore[arg-type]

    yield build
    end_marked(str(scratch))


def run(request: RunRequest) -> list[Event]:
    with runner.run(request) as happenings:
        return list(happenings)


@dataclass
class Deployment:
    """A deployment of its own, and the command to work on it, with the playbook that the test writes."""

    root: Path
    connection: str
    memory: Path

    @property
    def folder(self) -> Path:
        return self.root / "inventories" / "gemeente"

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "SOVSTACK_STATE_DIR": str(self.root / "state"),
            "SOVSTACK_CONFIG_DIR": str(self.root / "config"),
            "XDG_RUNTIME_DIR": str(self.memory),
            "CI": "1",
        }

    def write_playbook(self, tasks: str, name: str = "site") -> None:
        text = "- name: Try\n  hosts: all\n  gather_facts: false\n" + textwrap.indent(
            textwrap.dedent(tasks), "  "
        )
        (self.root / "content" / "playbooks" / f"{name}.yml").write_text(text)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        driver = str(Path(__file__).with_name("driver.py"))
        return subprocess.Popen(
            [sys.executable, driver, str(self.root / "content"), self.connection, *arguments],
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(
        self, verb: str = "apply", *arguments: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        with self.start(verb, str(self.folder), *arguments, **environment) as process:
            out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def run_directories(self) -> list[Path]:
        return sorted((self.root / "state" / "deployments").glob("*/runs/*"))


def make_deployment(root: Path, connection: str, profile: str) -> Deployment:
    for name in ("playbooks", "roles", "tests"):
        (root / "content" / name).mkdir(parents=True)
    # Not below the test's own folder: the path of a socket must be short.
    memory = Path(tempfile.mkdtemp(prefix="sov", dir="/dev/shm"))
    deployment = Deployment(root, connection, memory)
    deployment.folder.mkdir(parents=True)
    (deployment.folder / "profile.yml").write_text(profile)
    return deployment


def profile_text(address: str, *, key_file: str = "", more: str = "") -> str:
    """Return the lab's profile with another address, and a password file of the deployment's own."""
    text = (ROOT / "inventories" / "lab" / "profile.yml").read_text()
    text = re.sub(r"address: .*", f"address: {address}", text)
    text = re.sub(r"\n +key_file: .*", f"\n      key_file: {key_file}" if key_file else "", text)
    text = re.sub(r"file: ~/.config.*", "file: vault-password", text)
    return text.replace("      user: root\n", f"      user: root\n{more}")


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Deployment]:
    deployment = make_deployment(tmp_path, "local", profile_text("127.0.0.1"))
    yield deployment
    shutil.rmtree(deployment.memory)
