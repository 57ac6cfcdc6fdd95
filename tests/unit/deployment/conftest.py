"""A session of the lab's deployment that talks to no host."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.deployment.session import Session
from provisioner.engine import workspace as workspace_module
from provisioner.profile import read_profile

LAB = Path(__file__).parents[3] / "inventories" / "lab" / "profile.yml"


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("SOVSTACK_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(workspace_module, "_memory_directory", lambda: tmp_path / "memory")
    (tmp_path / "memory").mkdir(mode=0o700)
    folder = tmp_path / "gemeente"
    folder.mkdir()
    (folder / "profile.yml").write_text(LAB.read_text())
    return Session(read_profile(folder), "plan", lambda happening: None)
