"""The lab's deployment, with places of its own for all that a run keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.deployment.session import Session
from provisioner.engine import workspace as workspace_module
from provisioner.profile import ProfileReading, read_profile

LAB = Path(__file__).parents[3] / "inventories" / "lab" / "profile.yml"


@pytest.fixture
def reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProfileReading:
    monkeypatch.setenv("SOVSTACK_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(workspace_module, "_memory_directory", lambda: tmp_path / "memory")
    (tmp_path / "memory").mkdir(mode=0o700)
    folder = tmp_path / "inventories" / "gemeente"
    folder.mkdir(parents=True)
    (folder / "profile.yml").write_text(LAB.read_text())
    return read_profile(folder)


@pytest.fixture
def session(reading: ProfileReading) -> Session:
    """A session that talks to no host, and that nobody watches."""
    return Session(reading, "plan", lambda happening: None)
