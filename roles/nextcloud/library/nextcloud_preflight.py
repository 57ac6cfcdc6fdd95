#!/usr/bin/python
"""Ansible module: whether a host can become the wanted Nextcloud. Reads only."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: nextcloud_preflight
short_description: Refuse a release that this host cannot take, before anything is changed
description:
  - Reads the configuration and the releases on the host, and names everything that stands in the way of the wanted
    version at once. Works on a bare host, where little can.
  - Reports what it found as the fact C(nextcloud).
options:
  release_dir: {description: Folder of the wanted release., type: path, required: true}
  version: {description: Wanted version., type: str, required: true}
  php_versions:
    description: Oldest and newest minor version of PHP for this release; empty where the release is not known.
    type: list
    elements: str
    required: true
  database_host: {description: Wanted host (or socket folder) of the database., type: str, required: true}
  data_dir: {description: Wanted folder of the users' files., type: path, required: true}
  megabytes: {description: Free space that an unpacked release and its archive need., type: int, required: true}
  config_dir: {description: Folder of config.php., type: path, required: true}
  current_link: {description: Link to the release in use., type: path, required: true}
  state_path: {description: Where the role records its state., type: path, required: true}
  user: {description: The web user., type: str, required: true}
author: [sovstack]
"""

EXAMPLES = r"""
- name: Refuse what cannot work
  nextcloud_preflight:
    release_dir: /opt/nextcloud/releases/34.0.1-0f0bd15c7a3e
    version: 34.0.1
    php_versions: ["8.2", "8.5"]
    database_host: /run/postgresql
    data_dir: /srv/nextcloud/data
    megabytes: 2048
    config_dir: /etc/nextcloud
    current_link: /opt/nextcloud/current
    state_path: /var/lib/nextcloud/state.json
    user: www-data
"""

RETURN = r"""
ansible_facts:
  description: What was found, as C(nextcloud); the version is empty where nothing is installed.
  returned: always
  type: dict
  sample:
    nextcloud: {installed_version: 34.0.1.2}
"""

import os
import pathlib
import shutil

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nextcloud_server import INSTANCE_ARGUMENTS, Instance, Tree, version_of


def free_megabytes(path: pathlib.Path) -> int:
    """Free space of the file system that holds `path` or will hold it."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free // 2**20


def upgrade_problem(installed: str, wanted: str) -> str:
    """Why `installed` cannot become `wanted`, by the numbers alone; empty where it can.

    The release's own list of versions is asked again before the upgrade (nextcloud_instance).
    """
    before, after = version_of(installed)[:3], version_of(wanted)
    if after < before or after[0] > before[0] + 1:
        return (
            f"Nextcloud {installed} cannot become {wanted}: go one major version at a time, each to its newest patch "
            "first, and never back"
        )
    return ""


def database_problem(recorded: str, wanted: str) -> str:
    """Why an installation whose database is on `recorded` does not come to `wanted`; empty where it is there."""
    if recorded == wanted:
        return ""
    return (
        f"its database is at {recorded} and is not moved to {wanted}: move it by hand, as docs/operations/placement.md "
        f"says: stop Nextcloud, `nextcloud-occ config:system:set dbhost --value={wanted}`, apply, and restore it there"
    )


def data_problem(recorded: str, wanted: str) -> str:
    """Why an installation whose files are in `recorded` does not come to `wanted`; empty where they are there."""
    before, after = os.path.normpath(recorded), os.path.normpath(wanted)
    if before == after:
        return ""
    return (
        f"people's files are in {before} and are not moved to {after}: name {before} again, or move them by hand: "
        f"`nextcloud-occ config:system:set datadirectory --value={after}`, stop nginx, PHP and nextcloud-cron.timer, "
        f"`mv {before} {after}`, and apply at once"
    )


def php_problem(version: str, accepted: list[str]) -> str:
    """Why this PHP does not do; empty where it does."""
    if not version_of(accepted[0]) <= version_of(version)[:2] <= version_of(accepted[1]):
        return f"it needs PHP {accepted[0]} to {accepted[1]}, here is {version}"
    return ""


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "release_dir": {"type": "path", "required": True},
            "version": {"type": "str", "required": True},
            "php_versions": {"type": "list", "elements": "str", "required": True},
            "database_host": {"type": "str", "required": True},
            "data_dir": {"type": "path", "required": True},
            "megabytes": {"type": "int", "required": True},
            **INSTANCE_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    instance = Instance(module)
    release, version = Tree(module.params["release_dir"]), module.params["version"]
    problems, installed = [], ""
    if not module.params["php_versions"]:
        problems.append(f"Nextcloud {version} is not known to this role")
    if shutil.which("php"):
        config = instance.read_config()
        installed = str(config.get("version", "")) if config.get("installed") else ""
        php = instance.run(["php", "-r", "echo PHP_VERSION;"])[1]
        if installed:
            problems.append(upgrade_problem(installed, version))
            problems.append(database_problem(str(config.get("dbhost")), module.params["database_host"]))
            problems.append(data_problem(str(config.get("datadirectory")), module.params["data_dir"]))
        problems.append(
            php_problem(php, module.params["php_versions"]) if module.params["php_versions"] else ""
        )
    free = free_megabytes(release.path)
    if not release.version and free < module.params["megabytes"]:
        problems.append(
            f"a release needs {module.params['megabytes']} MB below {release.path.parent}, free are {free} MB"
        )
    if problems := [problem for problem in problems if problem]:
        module.fail_json(msg=f"Refused, and nothing was changed: {'; '.join(problems)}.", problems=problems)
    facts = {"installed_version": installed}
    module.exit_json(changed=False, ansible_facts={"nextcloud": facts})


if __name__ == "__main__":
    main()
