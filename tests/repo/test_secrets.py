"""Secrets are not passed where Ansible would show them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
SECRET = re.compile(r"_(password|secret|key)\b|stack_secrets")


def environments(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        if "environment" in node:
            yield node["environment"]
        for value in node.values():
            yield from environments(value)
    elif isinstance(node, list):
        for item in node:
            yield from environments(item)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(CHECKOUT)))
def test_no_secret_in_the_environment_of_a_task(file: Path) -> None:
    """Over plain SSH Ansible writes the environment onto a command line, where every user can read it."""
    for environment in environments(yaml.safe_load(file.read_text())):
        assert not SECRET.search(str(environment)), environment


def test_the_rule_finds_what_it_looks_for() -> None:
    task = [{"block": [{"name": "x", "environment": {"IT": "{{ nextcloud_admin_password }}"}}]}]
    assert [bool(SECRET.search(str(found))) for found in environments(task)] == [True]
