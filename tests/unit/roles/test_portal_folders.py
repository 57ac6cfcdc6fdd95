"""What the web server publishes is what is wanted, and nothing that is left of before."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

MODULE = Path(__file__).parents[3] / "roles/portal/library/portal_folders.py"


@pytest.fixture
def module() -> ModuleType:
    specification = importlib.util.spec_from_file_location(MODULE.stem, MODULE)
    assert specification and specification.loader
    loaded = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(loaded)
    return loaded


def test_whatever_is_not_wanted_goes_and_what_it_points_to_stays(module: ModuleType, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "portal", tmp_path / "elsewhere"
    (folder / "drafts").mkdir(parents=True)
    elsewhere.mkdir()
    for path in (folder / "nl.html", folder / ".hidden", folder / "drafts" / "a", elsewhere / "kept"):
        path.touch()
    (folder / "link").symlink_to(elsewhere)
    others = module.unwanted(folder, ["nl.html", "portal.css"])
    assert [path.name for path in others] == [".hidden", "drafts", "link"]
    for path in others:
        module.remove(path)
    assert [path.name for path in folder.iterdir()] == ["nl.html"]
    assert (elsewhere / "kept").exists()


def test_folder_that_is_not_there_is_told_so(module: ModuleType, tmp_path: Path) -> None:
    assert module.attributes(tmp_path / "portal") == "absent"
    assert module.unwanted(tmp_path / "portal", []) == []
