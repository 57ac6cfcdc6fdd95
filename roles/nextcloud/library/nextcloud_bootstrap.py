#!/usr/bin/python
"""Ansible module: what an installation or an upgrade of Nextcloud leaves to do, once."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: nextcloud_bootstrap
short_description: First administrator, indices and repairs of a Nextcloud
description:
  - After an installation it makes the first administrator; after that and after every upgrade it adds what the
    database lacks and runs the repairs that Nextcloud leaves to the administrator. Recorded, so once per version.
  - The administrator is not made again when somebody removes the account later, and its password is never reset.
options:
  url: {description: Address of the site, opened once as its first visitor., type: str, required: true}
  admin_user: {description: Name of the first administrator., type: str, required: true}
  admin_password: {description: Password of the first administrator., type: str, required: true, no_log: true}
  config_dir: {description: Folder of config.php., type: path, required: true}
  current_link: {description: Link to the release in use., type: path, required: true}
  state_path: {description: Where the role records its state., type: path, required: true}
  user: {description: The web user., type: str, required: true}
author: [sovstack]
"""

EXAMPLES = r"""
- name: Complete the installation
  nextcloud_bootstrap:
    url: https://cloud.example.org
    admin_user: admin
    admin_password: "{{ nextcloud_admin_password }}"
    config_dir: /etc/nextcloud
    current_link: /opt/nextcloud/current
    state_path: /var/lib/nextcloud/state.json
    user: www-data
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode.
  returned: always
  type: list
  elements: str
  sample: [occ db:add-missing-indices]
"""

import urllib.request

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nextcloud_server import INSTANCE_ARGUMENTS, Instance, Tree

UPKEEP = (
    ("db:add-missing-columns",),
    ("db:add-missing-indices",),
    ("db:add-missing-primary-keys",),
    ("maintenance:repair", "--include-expensive"),
    ("background:cron",),
)


def open_first_page(module: AnsibleModule, url: str) -> None:
    """Open the log-in page once: Nextcloud then makes the folders that its first background jobs look for.

    Without them the job that the repairs queue for the pictures of old versions fails, and queues itself again, every
    five minutes until somebody comes by.
    """
    try:
        with urllib.request.urlopen(f"{url}/login", timeout=60) as answer:  # noqa: S310  # https, see tasks/bootstrap.yml
            answer.read()
    except OSError as error:
        module.warn(f"The log-in page {url}/login could not be opened from this host: {error}")


def make_administrator(instance: Instance, user: str, password: str) -> None:
    """Make the account and its membership; either may be there from a run that was cut off."""
    if not instance.has_account(user):
        # The environment is not shown by `ps`, as arguments would be.
        secret = {"OC_PASS": password}
        status, output, errors = instance.run_occ("user:add", "--password-from-env", user, environment=secret)
        reason = Instance.reason(output, errors)
        if not instance.has_account(user):
            instance.module.fail_json(msg=f"The account {user} could not be made: {reason}")
        if status != 0:
            # Apps are told of an account after it was made; one that fails then does not unmake it.
            instance.module.warn(
                f"The account {user} was made, but an app that was told of it failed: {reason}"
            )
    instance.occ("group:adduser", "admin", user)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "admin_user": {"type": "str", "required": True},
            "admin_password": {"type": "str", "required": True, "no_log": True},
            **INSTANCE_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    instance = Instance(module)
    version = Tree(instance.current_link).version
    state = instance.read_state()
    fresh = state.get("phase") == "installing"
    done = state == {"phase": "ready", "version": version}
    actions = [] if done else [f"occ {' '.join(command)}" for command in UPKEEP]
    if fresh:
        actions.insert(0, f"make the administrator {module.params['admin_user']}")
    if actions and not module.check_mode:
        if fresh:
            make_administrator(instance, module.params["admin_user"], module.params["admin_password"])
        instance.write_state("settling", version)
        for command in UPKEEP:
            instance.occ(*command)
        # Whatever it finds is shown by the setup checks, which would otherwise take as long when they first run.
        instance.run_occ("integrity:check-core")
        open_first_page(module, module.params["url"])
        instance.write_state("ready", version)
    module.exit_json(
        changed=bool(actions),
        actions=actions,
        diff={"before": "", "after": "".join(f"{line}\n" for line in actions)},
    )


if __name__ == "__main__":
    main()
