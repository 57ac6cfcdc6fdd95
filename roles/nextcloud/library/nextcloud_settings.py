#!/usr/bin/python
"""Ansible module: apps and app settings of a Nextcloud, read in one call and changed in as few."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: nextcloud_settings
short_description: Enable, disable and set up the apps of a Nextcloud
description:
  - Reads all app settings in one call of C(occ), compares, and changes only what differs.
options:
  enabled: {description: Apps that are on., type: list, elements: str, default: []}
  disabled: {description: Apps that are off., type: list, elements: str, default: []}
  settings: {description: 'Settings of apps: {app: {name: value}}.', type: dict, default: {}}
  config_dir: {description: Folder of config.php., type: path, required: true}
  current_link: {description: Link to the release in use., type: path, required: true}
  state_path: {description: Where the role records its state., type: path, required: true}
  user: {description: The web user., type: str, required: true}
author: [sovstack]
"""

EXAMPLES = r"""
- name: Set up the apps
  nextcloud_settings:
    enabled: [admin_audit]
    disabled: [weather_status]
    settings: {password_policy: {minLength: "12"}}
    config_dir: /etc/nextcloud
    current_link: /opt/nextcloud/current
    state_path: /var/lib/nextcloud/state.json
    user: www-data
"""

RETURN = r"""
differences:
  description: What differed, by name, as it was and as it is wanted.
  returned: always
  type: dict
  sample: {app weather_status: [enabled, disabled]}
"""

import json
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nextcloud_server import INSTANCE_ARGUMENTS, Instance, Tree


def stored(value: Any) -> str:
    """A setting as Nextcloud stores it: text; booleans as 1 and 0."""
    if isinstance(value, bool):
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value)


def is_on(settings: dict[str, Any]) -> bool:
    """Whether an app is enabled, for everybody or for some groups."""
    return str(settings.get("enabled", "no")) != "no"


def read_apps(module: AnsibleModule, instance: Instance) -> dict[str, dict[str, Any]]:
    """Settings of all apps. A dry run may meet an instance that is not there yet, or that has to be mended first."""
    if module.check_mode:
        if not Tree(instance.current_link).version:
            return {}
        status, output, errors = instance.run_occ("status")
        if status != 0:
            reason = Instance.reason(output, errors)
            module.warn(f"The apps' settings could not be compared: {reason}")
            module.exit_json(changed=False)
    answer: dict[str, dict[str, Any]] = instance.occ_json("config:list", "--private")["apps"]
    return answer


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "enabled": {"type": "list", "elements": "str", "default": []},
            "disabled": {"type": "list", "elements": "str", "default": []},
            "settings": {"type": "dict", "default": {}},
            **INSTANCE_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    instance = Instance(module)
    actual = read_apps(module, instance)
    enable = [app for app in module.params["enabled"] if not is_on(actual.get(app, {}))]
    disable = [app for app in module.params["disabled"] if is_on(actual.get(app, {}))]
    settings = module.params["settings"]
    wanted = {(app, name): stored(settings[app][name]) for app in settings for name in settings[app]}
    current = {key: stored(actual.get(key[0], {}).get(key[1], "")) for key in wanted}
    different = {key: value for key, value in wanted.items() if current[key] != value}

    if not module.check_mode:
        if disable:
            instance.occ("app:disable", *disable)
        if enable:
            instance.occ("app:enable", *enable)
        for (app, name), value in different.items():
            instance.occ("config:app:set", app, name, f"--value={value}")
    differences = {f"app {app}": ("disabled", "enabled") for app in enable}
    differences |= {f"app {app}": ("enabled", "disabled") for app in disable}
    differences |= {f"{app} {name}": (current[app, name], value) for (app, name), value in different.items()}
    module.exit_json(
        changed=bool(differences),
        differences=differences,
        diff={
            "before": "".join(f"{name}: {old}\n" for name, (old, _) in differences.items()),
            "after": "".join(f"{name}: {new}\n" for name, (_, new) in differences.items()),
        },
    )


if __name__ == "__main__":
    main()
