#!/usr/bin/python
"""Ansible module: what there is of a Nextcloud on this host. Reads only."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: nextcloud_facts
short_description: Report the Nextcloud that a host carries
description:
  - Reads the current release, the configuration, the state that the role recorded, and the versions of PHP and
    PostgreSQL that this Nextcloud would meet. Works on a bare host, where it reports nothing.
options:
  release_dir: {description: Folder of the wanted release., type: path, required: true}
  config_dir: {description: Folder of config.php., type: path, required: true}
  current_link: {description: Link to the release in use., type: path, required: true}
  state_path: {description: Where the role records its state., type: path, required: true}
  user: {description: The web user., type: str, required: true}
author: [sovstack]
"""

EXAMPLES = r"""
- name: See what there is
  nextcloud_facts:
    release_dir: /opt/nextcloud/releases/34.0.1
    config_dir: /etc/nextcloud
    current_link: /opt/nextcloud/current
    state_path: /var/lib/nextcloud/state.json
    user: www-data
"""

RETURN = r"""
ansible_facts:
  description: What was found, as C(nextcloud). Versions are empty strings where there is nothing.
  returned: always
  type: dict
  sample:
    nextcloud: {installed_version: 34.0.1.2, release_present: true, php_version: 8.4.27, free_megabytes: 20000}
"""

import pathlib
import shutil

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nextcloud_server import INSTANCE_ARGUMENTS, Instance, Tree


def free_megabytes(path: pathlib.Path) -> int:
    """Free space of the file system that holds `path` or will hold it."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free // 2**20


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "release_dir": {"type": "path", "required": True},
            **INSTANCE_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    instance = Instance(module)
    release = Tree(module.params["release_dir"])
    has_php = shutil.which("php") is not None
    config = instance.read_config() if has_php else {}
    module.exit_json(
        changed=False,
        ansible_facts={
            "nextcloud": {
                "installed_version": str(config.get("version", "")) if config.get("installed") else "",
                "release_present": bool(release.version),
                "php_version": instance.run(["php", "-r", "echo PHP_VERSION;"])[1] if has_php else "",
                "free_megabytes": free_megabytes(release.path),
            }
        },
    )


if __name__ == "__main__":
    main()
