"""Every file in ``profile/`` is a case: a profile in, problems, inventory or plan out.

A case begins from ``profile_base.yml`` and makes changes to its text, or brings a whole text of its own::

    title: what the case shows
    change:
      - {from: old text, to: new text}    # the old text stands exactly once in the base
    text: ...                             # instead of `change`
    problems:                             # all, in order: line:column: severity: path: message hint
      - "13:15: error: hosts.main.provider: aws is owned from *"
    inventory: {hosts.yml: ...}           # parts that the inventory's files must have
    absent: [group_vars/all/main.yml/x]   # what they must not have
    plan: [base on main, ...]             # role on hosts, in order

``*`` in an expected text stands for anything. A case without problems must have none.
"""

from __future__ import annotations

import fnmatch
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from provisioner import inventory, plan
from provisioner.profile import InvalidProfile, Problem
from provisioner.profile.load import ProfileReading, read_content

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("profile/*.yml"))
BASE = (HERE / "profile_base.yml").read_text()
FOLDER = Path("/srv/inventories/zonnedael")
SPECIFICATIONS = {
    path.parents[1].name: yaml.safe_load(path.read_text())["argument_specs"]["main"]["options"]
    for path in (HERE.parents[1] / "roles").glob("*/meta/argument_specs.yml")
}
RELEASES = {
    "nextcloud": inventory.ReleaseRef("34.0.1", "/cache/nextcloud-34.0.1.tar.bz2", "0" * 64),
    "mattermost": inventory.ReleaseRef(
        "11.7.9", "/cache/mattermost-team-11.7.9-linux-amd64.tar.gz", "1" * 64
    ),
    **{
        name: inventory.ReleaseRef("1.0-1", f"/cache/{name}.deb", "2" * 64)
        for name in ("jitsi-meet-web", "jitsi-meet-prosody", "jicofo", "jitsi-videobridge2")
    },
    "mattermost-plugin com.example.tasks": inventory.ReleaseRef(
        "1.2.3", "/cache/com.example.tasks-1.2.3.tar.gz", "3" * 64
    ),
}
TODAY = date(2026, 11, 24)  # ends of support are held against it


def make_text(case: dict[str, Any]) -> str:
    text = BASE
    for change in case.get("change", []):
        found = text.count(change["from"])
        assert found == 1, f"{change['from']!r} stands {found} times in the base"
        text = text.replace(change["from"], change["to"])
    return case.get("text", text)


def read(text: str) -> tuple[ProfileReading | None, tuple[Problem, ...]]:
    try:
        reading = read_content("profile.yml", text.encode(), FOLDER, TODAY)
    except InvalidProfile as error:
        return None, error.problems
    return reading, reading.warnings


def describe(problem: Problem) -> str:
    return " ".join(str(problem).removeprefix("profile.yml:").split())


def missing_parts(expected: Any, actual: Any, path: str = "") -> list[str]:
    """Return where ``actual`` lacks what is expected; mappings may have more than that, lists may not."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return [
            missing
            for key, part in expected.items()
            for missing in missing_parts(part, actual.get(key, "(absent)"), f"{path}/{key}")
        ]
    return [] if expected == actual else [f"{path}: expected {expected!r}, got {actual!r}"]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    case = yaml.safe_load(path.read_text())
    unknown = set(case) - {"title", "change", "text", "problems", "inventory", "absent", "plan"}
    assert not unknown, f"the case has unknown keys {unknown}"

    reading, problems = read(make_text(case))

    told, expected = [describe(problem) for problem in problems], case.get("problems", [])
    assert len(told) == len(expected), "\n".join(told)
    for one, pattern in zip(told, expected, strict=True):
        assert fnmatch.fnmatchcase(one, pattern.replace("[", "[[]")), f"{one}\nis not\n{pattern}"
    if not {"inventory", "absent", "plan"} & set(case):
        return
    assert reading is not None
    built = inventory.build(reading.profile, RELEASES, deployment="zonnedael").files()
    assert not missing_parts(case.get("inventory", {}), built)
    for absent in case.get("absent", []):
        file, _, key = absent.rpartition("/")
        assert key not in built[file]
    if "plan" in case:
        steps = plan.build(reading.profile).steps
        assert [f"{step.role} on {', '.join(step.hosts)}" for step in steps] == case["plan"]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_roles_get_what_they_specify(path: Path) -> None:
    """The layers do not validate the arguments of roles at every run; the inventory is held against them here."""
    reading, _ = read(make_text(yaml.safe_load(path.read_text())))
    if reading is None:
        return
    given = inventory.build(reading.profile, RELEASES, deployment="zonnedael").files()
    variables = {
        name: value
        for content in (given["group_vars/all/main.yml"], *given["hosts.yml"]["all"]["hosts"].values())
        for name, value in content.items()
        if not name.startswith(("stack_", "ansible_"))
    }
    unclaimed = set(variables)
    for role, options in SPECIFICATIONS.items():
        own = {name for name in variables if name in options}
        unclaimed -= own
        # A template gets its type on the host.
        plain = {name: variables[name] for name in own if "{{" not in str(variables[name])}
        errors = ArgumentSpecValidator({name: options[name] for name in plain}).validate(plain).error_messages
        assert not errors, f"{role}: {errors}"
    assert not unclaimed, "no role takes these"


def test_there_are_cases() -> None:
    assert len(CASES) > 40
