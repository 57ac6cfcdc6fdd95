"""What is known about the settings of applications is what their roles do."""

from __future__ import annotations

from pathlib import Path

import yaml

from provisioner.profile import settings

CHECKOUT = Path(__file__).resolve().parents[3]


def test_a_profile_is_held_against_what_the_role_sets_to_keep_mattermost_quiet() -> None:
    variables = yaml.safe_load((CHECKOUT / "roles/mattermost/vars/main.yml").read_text())
    assert variables["__mattermost_quiet_settings"] == settings.MATTERMOST_QUIET
