"""What is made from the model: the JSON Schema and docs/profile.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from provisioner.profile import reference
from provisioner.profile.model import Profile

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads(reference.render_json_schema())
BASE = yaml.safe_load((ROOT / "tests/cases/profile_base.yml").read_text())


def test_the_page_is_up_to_date() -> None:
    page = (ROOT / "docs/profile.md").read_text()
    assert page == reference.render_markdown(), "sovstack schema --output markdown > docs/profile.md"


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", ["example", "lab"])
def test_the_schema_accepts_valid_profiles(name: str) -> None:
    jsonschema.validate(yaml.safe_load((ROOT / f"inventories/{name}/profile.yml").read_text()), SCHEMA)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"organization": {}},
        {"sovereignty": {"level": "high"}},
        {"hosts": {}},
        {"secrets": {"vault_password": {"file": "a", "env": "B"}}},
        {"secrets": {"vault_password": {}}},
    ],
)
def test_the_schema_refuses_what_the_model_refuses(change: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(BASE | change, SCHEMA)


def describe_keys(part: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (key, declared.get("description", "") or "$ref" in declared)
        for key, declared in part["properties"].items()
    ]


def test_every_key_is_described() -> None:
    parts = [SCHEMA, *SCHEMA["$defs"].values()]
    assert len(parts) > 10
    assert not [key for part in parts for key, described in describe_keys(part) if not described]
    page = reference.render_markdown()
    assert not [key for part in parts for key in part["properties"] if f"| `{key}` |" not in page]


def test_every_default_can_be_had_by_writing_it() -> None:
    """A default that the model's own checks refuse would be a trap for whoever copies it from the page."""
    profile = Profile.model_validate(BASE)
    assert Profile.model_validate(profile.model_dump(mode="json")) == profile
