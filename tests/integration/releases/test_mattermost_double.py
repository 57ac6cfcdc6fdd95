"""The contract double of Mattermost: it knows what the real one knows, refuses the rest, and answers alike."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path

import pytest
import yaml
from doubles.mattermost.build import HERE, LINES, build

from provisioner.releases.catalogue import Catalogue

CHECKOUT = HERE.parents[2]
INTERFACE = json.loads((HERE / "interface.json").read_text())
SOURCES = HERE / "tree/lib/double"
PASSWORD = "Vrij-lang-wachtwoord-9471"


def read_tree(archive: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(archive) as content:
        return {entry.name: entry for entry in content}


def test_the_archive_is_the_same_whoever_builds_it(tmp_path: Path) -> None:
    first = build(tmp_path / "1")
    assert first.read_bytes() == build(tmp_path / "2").read_bytes()
    assert first.name == "mattermost-team-11.7.9-linux-amd64.tar.gz"


def test_the_archive_has_the_layout_of_a_team_edition(tmp_path: Path) -> None:
    tree = read_tree(build(tmp_path))
    assert next(iter(tree)) == "mattermost"
    assert {"mattermost/SOVSTACK-CONTRACT-DOUBLE", "mattermost/MIT-COMPILED-LICENSE.md"} <= set(tree)
    assert "mattermost/ENTERPRISE-EDITION-LICENSE.txt" not in tree
    for folder in ("client", "config", "fonts", "i18n", "logs", "prepackaged_plugins", "templates"):
        assert tree[f"mattermost/{folder}"].isdir()
    assert {name for name, entry in tree.items() if entry.isfile() and entry.mode & 0o111} == {
        "mattermost/bin/mattermost",
        "mattermost/bin/mmctl",
    }
    assert tree["mattermost/config/config.json"].mode == 0o600


def test_it_stands_for_the_lines_of_the_catalogue_and_bears_as_many_users(tmp_path: Path) -> None:
    for release in Catalogue.load().releases("mattermost"):
        limit = release.unlicensed_users
        assert limit
        assert LINES[".".join(release.version.split(".")[:2])] == (limit.warns_from, limit.most)
    with pytest.raises(KeyError):
        build(tmp_path, "12.0.1")


def test_it_plays_only_what_the_real_one_has() -> None:
    text = "".join(path.read_text() for path in sorted(SOURCES.glob("**/*.py")))
    routes = set(re.findall(r'"((?:GET|POST|PUT|DELETE) /api/v4/[^"]*)"', text))
    commands = set(re.findall(r'^@command\("([^"]+)"\)|^PLAYED\["([^"]+)"\]', text, re.M))
    assert len(routes) > 60
    assert routes <= {*INTERFACE["routes"]["public"], *INTERFACE["routes"]["local"]}
    assert len(commands) > 20
    assert {first or second for first, second in commands} <= set(INTERFACE["mmctl"]["commands"])
    for section, key in re.findall(r'"(\w+(?:Settings|Requirements))\.(\w+)"', text):
        assert key in INTERFACE["settings"][section]


def test_the_role_sets_only_what_mattermost_has() -> None:
    role = yaml.safe_load((CHECKOUT / "roles/mattermost/vars/main.yml").read_text())
    assert len(role["__mattermost_settings"]) > 20
    for name in role["__mattermost_settings"]:
        section, _, key = name.partition(".")
        assert key in INTERFACE["settings"].get(section, {}), name
