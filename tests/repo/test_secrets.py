"""Secrets are not passed where Ansible would show them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

CHECKOUT = Path(__file__).parents[2]
FILES = sorted(
    [
        *CHECKOUT.glob("roles/*/tasks/*.yml"),
        *CHECKOUT.glob("roles/*/handlers/*.yml"),
        *CHECKOUT.glob("playbooks/**/*.yml"),
    ]
)
SECRET = re.compile(r"_(password|secret|key)\b|stack_secrets|secret_settings")
EXPRESSION = re.compile(r"{[{%].*?[%}]}", re.DOTALL)
TASKS = sorted(CHECKOUT.glob("roles/*/tasks/*.yml"))


def environments(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        if "environment" in node:
            yield node["environment"]
        for value in node.values():
            yield from environments(value)
    elif isinstance(node, list):
        for item in node:
            yield from environments(item)


def tells_secrets(text: str) -> bool:
    """Whether a template writes one; the digest of a password is none."""
    return any(SECRET.search(found) and "| hash(" not in found for found in EXPRESSION.findall(text))


def shows_differences(task: dict[str, Any], item: Any) -> bool:
    """Whether a plan shows what this task would change in the file of this item."""
    diff = str(task.get("diff", True))
    hidden = diff == "False" or ("not item.secret" in diff and item.get("secret") is True)
    return not hidden and task.get("no_log") is not True


def writers(file: Path) -> Iterator[tuple[dict[str, Any], Any, str]]:
    """Yield every task that writes a file, the item of its loop, and what the file is made of."""
    role = file.parents[1]
    variables = yaml.safe_load((role / "vars" / "main.yml").read_text()) or {}
    environment = jinja2.Environment()  # noqa: S701  paths, no pages
    environment.filters["regex_replace"] = lambda text, this, that: re.sub(this, that, text)

    def told(text: object) -> str:
        done = re.sub(r"{{ (\w+) }}", lambda found: str(variables.get(found[1], found[1])), str(text))
        return done if done == text else told(done)

    for task in yaml.safe_load(file.read_text()) or []:
        loop = task.get("loop")
        for item in loop if isinstance(loop, list) else [{}]:
            if content := task.get("ansible.builtin.copy", {}).get("content"):
                yield task, item, content
            if source := task.get("ansible.builtin.template", {}).get("src"):
                known = {key: told(value) for key, value in item.items()} if isinstance(item, dict) else item
                path = environment.from_string(told(source)).render(item=known)
                yield task, item, (role / "templates" / path).read_text()


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(CHECKOUT)))
def test_no_secret_in_the_environment_of_a_task(file: Path) -> None:
    """Over plain SSH Ansible writes the environment onto a command line, where every user can read it."""
    for environment in environments(yaml.safe_load(file.read_text())):
        assert not SECRET.search(str(environment)), environment


def test_the_rule_finds_what_it_looks_for() -> None:
    task = [{"block": [{"name": "x", "environment": {"IT": "{{ nextcloud_admin_password }}"}}]}]
    assert [bool(SECRET.search(str(found))) for found in environments(task)] == [True]


@pytest.mark.parametrize("file", TASKS, ids=lambda file: str(file.relative_to(CHECKOUT)))
def test_no_difference_shows_a_secret(file: Path) -> None:
    """A run masks the secrets that it knows; the one before, which the host still has, is none of them."""
    for task, item, text in writers(file):
        assert not (tells_secrets(text) and shows_differences(task, item)), (task["name"], item)


def test_files_with_secrets_are_found() -> None:
    found = {file.parents[1].name for file in TASKS for _, _, text in writers(file) if tells_secrets(text)}
    assert found >= {
        "coturn",
        "jicofo",
        "jitsi_videobridge",
        "nextcloud",
        "php_fpm",
        "prosody",
        "redis",
        "tls",
    }
