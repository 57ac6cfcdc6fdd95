#!/usr/bin/python
"""Ansible module: whether a host can become the wanted Mattermost. Reads only."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mattermost_preflight
short_description: Refuse a release that this host cannot take, before anything is changed
description:
  - Names everything that stands in the way of the wanted version at once. Works on a bare host, where little can.
  - Reports what it found as the fact C(mattermost).
options:
  version: {description: Wanted version., type: str, required: true}
  edition: {description: Wanted edition., type: str, required: true, choices: [team, enterprise]}
  licensed: {description: Whether there is a licence., type: bool, required: true}
  settings: {description: Names of further settings., type: list, elements: str, required: true}
  broken_upgrades:
    description: 'Upgrades that do not work: ranges of versions as C(from) and C(to).'
    type: list
    elements: dict
    required: true
  database_host: {description: Wanted host (or socket folder) of the database., type: str, required: true}
  data_dir: {description: Wanted folder of the files that people send., type: path, required: true}
  config_dir: {description: Folder of the server's environment., type: path, required: true}
  megabytes: {description: Free space that an unpacked release and its archive need., type: int, required: true}
  release_dir: {description: Folder of the wanted release., type: path, required: true}
  current_link: {description: Link to the release in use., type: path, required: true}
  plugins: {description: Ids of the wanted plugins., type: list, elements: str, required: true}
  plugin_archives_dir: {description: "Folder of plugins' archives, C(ID.tar.gz).", type: path, required: true}
  plugin_dirs: {description: "Folders of unpacked plugins, by their ids.", type: list, elements: path, required: true}
author: [sovstack]
"""

EXAMPLES = r"""
- name: Refuse what cannot work
  mattermost_preflight:
    version: 11.7.9
    edition: team
    licensed: false
    settings: [ServiceSettings.EnableLinkPreviews]
    broken_upgrades: [{from: ">=10.11.17,<11.0", to: ">=11.0,<11.7.3"}]
    database_host: /run/postgresql
    data_dir: /srv/mattermost/data
    config_dir: /etc/mattermost
    megabytes: 1500
    release_dir: /opt/mattermost/releases/11.7.9-df9b6a42c1e7
    current_link: /opt/mattermost/current
    plugins: [com.example.tasks]
    plugin_archives_dir: /srv/mattermost/data/plugins
    plugin_dirs: [/var/lib/mattermost/plugins, /var/lib/mattermost/client-plugins]
"""

RETURN = r"""
ansible_facts:
  description: What was found, as C(mattermost); the version is empty where nothing is installed.
  returned: always
  type: dict
  sample:
    mattermost: {installed_version: 10.11.16, unwanted_plugins: [/srv/mattermost/data/plugins/com.example.votes.tar.gz]}
"""

import operator
import os
import pathlib
import re
import shutil
import urllib.parse

from ansible.module_utils.basic import AnsibleModule

COMPARISONS = {">=": operator.ge, "<": operator.lt}


def version_of(text: str) -> tuple[int, ...]:
    """Version as numbers, so that versions compare."""
    return tuple(int(part) for part in re.findall(r"\d+", text))


def in_range(version: str, bounds: str) -> bool:
    """Whether a version is within bounds such as `>=10.11.17,<11.0`."""
    found = re.findall(r"(>=|<)([\d.]+)", bounds)
    return all(COMPARISONS[sign](version_of(version), version_of(bound)) for sign, bound in found)


def upgrade_problem(installed: str, wanted: str, broken: list[dict[str, str]]) -> str:
    """Why `installed` cannot become `wanted`; empty where it can."""
    before, after = version_of(installed), version_of(wanted)
    if after < before:
        return (
            f"Mattermost {installed} cannot go back to {wanted}: its database has moved on; restore a backup"
        )
    if after[0] > before[0] + 1:
        return f"Mattermost {installed} cannot become {wanted} at once: go one major version at a time"
    if any(in_range(installed, pair["from"]) and in_range(wanted, pair["to"]) for pair in broken):
        return f"the upgrade from Mattermost {installed} to {wanted} is known to fail: choose a later patch"
    return ""


def recorded_database(environment: str) -> str:
    """Host (or socket folder) of the database in the text of an environment; empty where there is none."""
    line = r'^MM_SQLSETTINGS_DATASOURCE="\w+://[^@]*@([^/:?]*)[^?]*\?(.*)"$'
    found = re.search(line, environment, flags=re.MULTILINE)
    if not found:
        return ""
    return found[1] or dict(urllib.parse.parse_qsl(found[2])).get("host", "")


def database_problem(recorded: str, wanted: str) -> str:
    """Why a server whose database is on `recorded` does not come to `wanted`; empty where it is there or new."""
    if recorded in ("", wanted):
        return ""
    return (
        f"its database is at {recorded} and is not moved to {wanted}: move it by hand, as docs/operations/placement.md "
        "says: stop Mattermost, take the line MM_SQLSETTINGS_DATASOURCE out of the files in /etc/mattermost, apply, "
        "and restore it there"
    )


def recorded_data(environment: str) -> str:
    """Folder of the files that people sent, in the text of an environment; empty where there is none."""
    found = re.search(r'^MM_FILESETTINGS_DIRECTORY="(.*)"$', environment, flags=re.MULTILINE)
    return found[1] if found else ""


def data_problem(recorded: str, wanted: str) -> str:
    """Why a server whose files are in `recorded` does not come to `wanted`; empty where they are there, or none."""
    before, after = os.path.normpath(recorded), os.path.normpath(wanted)
    if not recorded or before == after:
        return ""
    return (
        f"what people sent is in {before} and is not moved to {after}: name {before} again, or move it by hand: stop "
        f"mattermost.service, `mv {before} {after}`, take the line MM_FILESETTINGS_DIRECTORY out of "
        "/etc/mattermost/mattermost.env, and apply"
    )


def setting_problems(names: list[str]) -> list[str]:
    """Settings whose name is not `Section.Name`; nothing else would ever reach the server."""
    return [
        f"{name} is no setting: write Section.Name, for example ServiceSettings.EnableLinkPreviews"
        for name in names
        if not re.fullmatch(r"[A-Z]\w*(?:\.[A-Z]\w*)+", name)
    ]


def installed_version(current: pathlib.Path) -> str:
    """Version in use, by the name of its folder, `<version>-<digest>`; empty where none is."""
    return current.resolve().name.partition("-")[0] if current.is_symlink() else ""


def unwanted(names: set[str], folder: pathlib.Path) -> list[str]:
    """What lies in a folder under another name than these."""
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(str(path) for path in found if path.name not in names)


def unwanted_plugins(ids: list[str], archives: str, folders: list[str]) -> list[str]:
    """What lies where plugins do and is none of the wanted: archives, and what was unpacked."""
    unpacked = [path for folder in folders for path in unwanted(set(ids), pathlib.Path(folder))]
    return [*unpacked, *unwanted({f"{name}.tar.gz" for name in ids}, pathlib.Path(archives))]


def free_megabytes(path: pathlib.Path) -> int:
    """Free space of the file system that holds `path` or will hold it."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free // 2**20


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "version": {"type": "str", "required": True},
            "edition": {"type": "str", "required": True, "choices": ["team", "enterprise"]},
            "licensed": {"type": "bool", "required": True},
            "settings": {"type": "list", "elements": "str", "required": True},
            "broken_upgrades": {"type": "list", "elements": "dict", "required": True},
            "database_host": {"type": "str", "required": True},
            "data_dir": {"type": "path", "required": True},
            "config_dir": {"type": "path", "required": True},
            "megabytes": {"type": "int", "required": True},
            "release_dir": {"type": "path", "required": True},
            "current_link": {"type": "path", "required": True},
            "plugins": {"type": "list", "elements": "str", "required": True},
            "plugin_archives_dir": {"type": "path", "required": True},
            "plugin_dirs": {"type": "list", "elements": "path", "required": True},
        },
        supports_check_mode=True,
    )
    wanted: str = module.params["version"]
    release, current = pathlib.Path(module.params["release_dir"]), pathlib.Path(module.params["current_link"])
    installed = installed_version(current)
    problems = setting_problems(module.params["settings"])
    if installed:
        problems.append(upgrade_problem(installed, wanted, module.params["broken_upgrades"]))
    environment = "".join(
        path.read_text(encoding="utf-8")
        for path in sorted(pathlib.Path(module.params["config_dir"]).glob("*.env"))
    )
    if installed:
        problems += [
            database_problem(recorded_database(environment), module.params["database_host"]),
            data_problem(recorded_data(environment), module.params["data_dir"]),
        ]
    if module.params["licensed"] and module.params["edition"] == "team":
        problems.append("a licence is of no use to the team edition: choose the enterprise edition")
    free = free_megabytes(release.parent)
    if not release.is_dir() and free < module.params["megabytes"]:
        problems.append(
            f"a release needs {module.params['megabytes']} MB below {release.parent}, free are {free} MB"
        )
    if problems := [problem for problem in problems if problem]:
        module.fail_json(msg=f"Refused, and nothing was changed: {'; '.join(problems)}.", problems=problems)
    facts = {
        "installed_version": installed,
        "unwanted_plugins": unwanted_plugins(
            module.params["plugins"], module.params["plugin_archives_dir"], module.params["plugin_dirs"]
        ),
    }
    module.exit_json(changed=False, ansible_facts={"mattermost": facts})


if __name__ == "__main__":
    main()
