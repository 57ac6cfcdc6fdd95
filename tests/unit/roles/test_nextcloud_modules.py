"""The parts of the Nextcloud role's modules that only compute: literals, versions, merging, and what is left to do."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROLE = Path(__file__).resolve().parents[3] / "roles" / "nextcloud"


def load(path: str, name: str) -> ModuleType:
    """Import a file of the role under the name that Ansible gives it on the host."""
    spec = importlib.util.spec_from_file_location(name, ROLE / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


literals = load("module_utils/php_literal.py", "ansible.module_utils.php_literal")
server = load("module_utils/nextcloud_server.py", "ansible.module_utils.nextcloud_server")
config = load("library/nextcloud_config.py", "nextcloud_config")
preflight = load("library/nextcloud_preflight.py", "nextcloud_preflight")
settings = load("library/nextcloud_settings.py", "nextcloud_settings")

VERSION_FILE = """<?php
$OC_Version = array(34,0,1,2);
$OC_VersionString = '34.0.1';
$OC_VersionCanBeUpgradedFrom = array (
  'nextcloud' =>
  array (
    '33.0' => true,
    '34.0' => true,
  ),
  'owncloud' =>
  array (
    '10.13' => true,
  ),
);
"""


@pytest.fixture
def tree(tmp_path: Path) -> Any:
    (tmp_path / "version.php").write_text(VERSION_FILE)
    return server.Tree(tmp_path)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (0, "0"),
        (-1.5, "-1.5"),
        ("", "''"),
        ("it's", r"'it\'s'"),
        ("\\OC\\Memcache\\APCu", r"'\\OC\\Memcache\\APCu'"),
        ("ends with \\", r"'ends with \\'"),
        ("\\'; system('id'); //", r"'\\\'; system(\'id\'); //'"),
        ("$HOME {$x} ?>\n<?php", "'$HOME {$x} ?>\n<?php'"),
        ([], "[]"),
        ({}, "[]"),
        (["a", 1], "[\n    'a',\n    1,\n]"),
        ({"host": "/run/x", "port": 0}, "[\n    'host' => '/run/x',\n    'port' => 0,\n]"),
        ({"apps": ["admin_audit"]}, "[\n    'apps' => [\n        'admin_audit',\n    ],\n]"),
    ],
)
def test_literal_says_the_value_in_php(value: Any, text: str) -> None:
    assert literals.php_literal(value) == text


def test_literal_refuses_what_php_has_no_word_for() -> None:
    with pytest.raises(TypeError, match="set is no value"):
        literals.php_literal({1, 2})


def test_release_says_its_version_and_what_it_upgrades(tree: Any) -> None:
    assert (tree.version, tree.name) == ("34.0.1.2", "34.0.1")
    assert tree.upgrades_from == ["33.0", "34.0"]


@pytest.mark.parametrize(
    ("version", "accepted"),
    [
        ("33.0.9.1", True),
        ("34.0.0.5", True),
        ("34.0.1.2", True),
        ("34.0.2.1", False),
        ("32.0.2.2", False),
        ("10.13.0.1", False),
    ],
)
def test_release_takes_over_the_version_before_and_no_other(tree: Any, version: str, accepted: bool) -> None:
    assert tree.accepts(version) is accepted


def test_absent_release_has_no_version(tmp_path: Path) -> None:
    tree = server.Tree(tmp_path / "absent")
    assert (tree.version, tree.name, tree.upgrades_from) == ("", "", [])
    assert not tree.accepts("33.0.0.1")


@pytest.mark.parametrize(
    ("output", "errors", "reason"),
    [
        ("", "", ""),
        ("first\nlast\n", "noise", "last"),
        ("", "only this\n", "only this"),
        (
            "An unhandled exception\nTypeError: abs() went wrong\nStack trace:\n#0 x\n{main}",
            "",
            "TypeError: abs() went wrong",
        ),
        ("OCP\\HintException: no\n#0", "", "OCP\\HintException: no"),
    ],
)
def test_reason_is_the_line_that_tells(output: str, errors: str, reason: str) -> None:
    assert server.Instance.reason(output, errors) == reason


@pytest.mark.parametrize(
    ("managed", "own", "unchanged"),
    [
        ("value", "other", True),  # a plain value replaces a plain value
        (["a"], ["a"], True),
        (["a"], ["b"], True),
        (["a"], ["a", "b"], False),  # the second would live on
        (["a"], {"0": "a", "3": "evil"}, False),
        ([], ["a"], False),
        ({"apps": ["x"]}, {"apps": ["x", "y"]}, False),
        ({"host": "s", "port": 0}, {"host": "t"}, True),
        ({"host": "s"}, {"host": "t", "password": "p"}, False),
        (None, ["a"], True),  # an expression of PHP is not compared
    ],
)
def test_merging_by_position_is_seen_through(managed: Any, own: Any, unchanged: bool) -> None:
    assert config.survives(managed, own) is unchanged


def test_managed_file_is_sorted_and_names_its_settings() -> None:
    text = config.render({"loglevel": 2, "a.b": {"c": ["d"]}}, {"apps_paths": "[OC::$SERVERROOT]"})
    assert text.startswith("<?php\n//")
    assert (
        text.index("'a.b'") < text.index("'apps_paths' => [OC::$SERVERROOT]") < text.index("'loglevel' => 2")
    )
    assert config.names_in(text) == {"loglevel", "a.b", "apps_paths"}


def test_a_difference_shows_no_secret_old_or_new() -> None:
    settings = {"loglevel": 2, "redis": {"host": "data", "list": ["a"]}, "mail'er": "x"}
    secrets = {
        "redis": {"password": "new'one\nand more"},
        "token": "key-1",
        "store": {"arguments": {"key": "key-2"}},
    }
    old_secrets = secrets | {
        "redis": {"password": "old'one\nand less"},
        "gone": {"key": "key-3"},
        "former": "key-4",
    }
    after = config.render(config.joined(settings, secrets), {"apps_paths": "[OC::$SERVERROOT]"})
    before = config.render(config.joined(settings | {"loglevel": 3}, old_secrets), {})
    opened = settings | {"apps_paths": ""}
    shown = config.hidden(before, after, "as it was", opened, secrets)
    for part in ("old", "and less", "key-"):
        assert part not in shown
    assert "    'loglevel' => 3,\n" in shown
    assert "    'mail\\'er' => 'x',\n" in shown
    assert "        'host' => 'data',\n        'list' => [\n            'a',\n        ],\n" in shown
    assert "        'password' => (hidden, as it was)\n(hidden, as it was)\n    ],\n" in shown
    assert "    'former' => (hidden, as it was)\n" in shown
    assert "    'token' => (hidden)\n" in shown
    shown = config.hidden(after, before, "as wanted", opened, secrets)
    for part in ("new", "and more", "key-"):
        assert part not in shown
    assert "        'password' => (hidden, as wanted)\n" in shown
    assert "    'apps_paths' => [OC::$SERVERROOT],\n" in shown


def test_a_secret_stays_hidden_when_it_becomes_another_setting() -> None:
    remote = config.render({"redis": {"host": "data", "password": "old-one"}}, {})
    here = {"redis": {"host": "/run/redis.sock"}}
    assert "old-one" not in config.hidden(remote, config.render(here, {}), "as it was", here, {})


@pytest.mark.parametrize(("value", "text"), [(True, "1"), (False, "0"), (12, "12"), ("x", "x"), ([1], "[1]")])
def test_app_settings_compare_as_nextcloud_stores_them(value: Any, text: str) -> None:
    assert settings.stored(value) == text


@pytest.mark.parametrize(("enabled", "on"), [("yes", True), ("no", False), ('["staff"]', True)])
def test_app_for_some_groups_is_on(enabled: str, on: bool) -> None:
    assert settings.is_on({"enabled": enabled}) is on
    assert not settings.is_on({})


@pytest.mark.parametrize(
    ("installed", "wanted", "refused"),
    [
        ("34.0.1.2", "34.0.1", False),
        ("34.0.1.2", "34.0.4", False),
        ("33.0.9.1", "34.0.1", False),
        ("32.0.2.2", "34.0.1", True),
        ("34.0.1.2", "34.0.0", True),
        ("34.0.1.2", "33.0.9", True),
        ("9.1.6.1", "10.0.1", False),
    ],
)
def test_skipped_and_older_versions_are_refused_by_their_numbers(
    installed: str, wanted: str, refused: bool
) -> None:
    assert bool(preflight.upgrade_problem(installed, wanted)) is refused


@pytest.mark.parametrize(
    ("php", "refused"),
    [("8.1.30", True), ("8.2.36", False), ("8.5.99", False), ("8.6.0", True), ("8.10.1", True)],
)
def test_php_out_of_range_is_refused(php: str, refused: bool) -> None:
    assert bool(preflight.php_problem(php, ["8.2", "8.5"])) is refused


def test_database_is_not_moved_by_naming_another_host() -> None:
    assert preflight.database_problem("/run/postgresql", "/run/postgresql") == ""
    problem = preflight.database_problem("/run/postgresql", "data.internal.example")
    assert "dbhost --value=data.internal.example" in problem


def test_files_are_not_moved_by_naming_another_folder() -> None:
    assert preflight.data_problem("/srv/nextcloud/data", "/srv/nextcloud/data/") == ""
    problem = preflight.data_problem("/srv/nextcloud/data", "/big/files")
    assert "datadirectory --value=/big/files" in problem
    assert "mv /srv/nextcloud/data /big/files" in problem


def test_secrets_join_the_mapping_that_they_are_part_of() -> None:
    open_part, secret = (
        {"redis": {"host": "tls://data"}, "loglevel": 2},
        {"redis": {"password": "x"}, "salt": "y"},
    )
    joined = {"redis": {"host": "tls://data", "password": "x"}, "loglevel": 2, "salt": "y"}
    assert config.joined(open_part, secret) == joined
    assert open_part["redis"] == {"host": "tls://data"}
