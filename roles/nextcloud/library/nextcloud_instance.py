#!/usr/bin/python
"""Ansible module: an installed Nextcloud whose database fits its release."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: nextcloud_instance
short_description: Install or upgrade a Nextcloud, then put its release in use
description:
  - Installs into an empty database, or upgrades from an older release, and sets the link to the release as the last
    step, so that web pages meet either the old state or the new one.
  - Records each phase before it begins. An installation that was cut off is thrown away and made again, which is safe
    because nobody could use it yet; an upgrade that was cut off is taken up where it was.
  - Refuses a release that cannot upgrade the installed version, a database that is not empty and not known to this
    host, and a maintenance mode that it did not switch on itself.
options:
  release_dir: {description: Folder of the wanted release., type: path, required: true}
  data_dir: {description: Folder of the users' files., type: path, required: true}
  database: {description: 'name, user and host (or socket folder) of the database.', type: dict, required: true}
  database_versions:
    description: Oldest and newest major version of PostgreSQL.
    type: list
    elements: int
    required: true
  timer: {description: systemd timer that runs the background jobs., type: str, required: true}
  config_dir: {description: Folder of config.php., type: path, required: true}
  current_link: {description: Link to the release in use., type: path, required: true}
  state_path: {description: Where the role records its state., type: path, required: true}
  user: {description: The web user., type: str, required: true}
author: [sovstack]
"""

EXAMPLES = r"""
- name: Install or upgrade
  nextcloud_instance:
    release_dir: /opt/nextcloud/releases/34.0.1-0f0bd15c7a3e
    data_dir: /srv/nextcloud/data
    database: {name: nextcloud, user: nextcloud, host: /run/postgresql}
    database_versions: [14, 18]
    timer: nextcloud-cron.timer
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
  sample: [install 34.0.1]
"""

import os
import pathlib
import pwd
import shutil
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nextcloud_server import INSTANCE_ARGUMENTS, Instance, Tree, version_of

# The owner of a database may rebuild its schema `public`; this gives it back to whoever owns the database.
EMPTY_DATABASE = "drop schema public cascade; create schema public authorization pg_database_owner"


class Lifecycle:
    """The way of one instance to the wanted release."""

    def __init__(self, module: AnsibleModule) -> None:
        """Read what there is."""
        self.module = module
        self.instance = Instance(module)
        self.release = Tree(module.params["release_dir"])
        # In a dry run the release may not be there yet; its folder is named <version>-<digest>.
        self.wanted = self.release.name or self.release.path.name.partition("-")[0]
        self.data_dir = pathlib.Path(module.params["data_dir"])
        self.database: dict[str, str] = module.params["database"]
        self.config = self.instance.read_config()
        self.phase = self.instance.read_state().get("phase", "")

    def query(self, sql: str) -> str:
        """Answer of the database, as the application's role."""
        database = self.database
        command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]
        command += [
            f"--host={database['host']}",
            f"--username={database['user']}",
            f"--dbname={database['name']}",
        ]
        return str(self.instance.require([*command, f"--command={sql}"])).strip()

    def steps(self) -> list[tuple[str, Any]]:
        """What is left to do: words for the user, and the function that does it."""
        steps: list[tuple[str, Any]] = []
        if not self.config.get("installed"):
            steps.append((f"install {self.wanted}", self.install))
        elif self.phase == "installing":
            steps.append(("keep the installation that a cut-off run had completed", lambda: None))
        elif self.moves_from(str(self.config["version"])):
            self.refuse_upgrade()
            steps.append((f"upgrade {self.config['version']} to {self.wanted}", self.upgrade))
        elif self.config.get("maintenance"):
            if self.phase != "upgrading":
                self.module.fail_json(
                    msg="Nextcloud is in maintenance mode, and not by this role. End it with "
                    "`nextcloud-occ maintenance:mode --off` when what it is for is done, then run again."
                )
            steps.append(("end the maintenance mode of a cut-off upgrade", self.end_maintenance))
        if self.instance.current_link.resolve() != self.release.path.resolve():
            steps.append((f"use {self.release.path}", self.switch))
        return steps

    def moves_from(self, version: str) -> bool:
        """Whether the release has another version than this instance."""
        if self.release.version:
            return version != self.release.version
        return version_of(version)[:3] != version_of(self.wanted)[:3]

    def refuse_upgrade(self) -> None:
        """Fail before anything is changed where the release cannot take over this instance."""
        version = str(self.config["version"])
        if self.release.version and not self.release.accepts(version):
            self.module.fail_json(
                msg=f"Nextcloud {self.release.name} cannot upgrade {version}: it takes over from "
                f"{', '.join(self.release.upgrades_from)}. Go one major version at a time, and never back."
            )

    def refuse_database(self) -> None:
        """Fail where PostgreSQL is too old or too new for the release."""
        major = int(self.query("show server_version_num")) // 10000
        oldest, newest = self.module.params["database_versions"]
        if not oldest <= major <= newest:
            needed = f"needs PostgreSQL {oldest} to {newest}"
            self.module.fail_json(msg=f"Nextcloud {self.release.name} {needed}, here is {major}")

    def install(self) -> None:
        """Install into an empty database, without any account."""
        self.refuse_database()
        if self.phase == "installing":
            self.clear_leftovers()
        elif self.query("select count(*) from pg_tables where schemaname = 'public'") != "0":
            self.module.fail_json(
                msg=f"The database {self.database['name']} holds tables, but {self.instance.config_dir}/config.php "
                "knows of no installation. Bring back the configuration (docs/operations/placement.md, where the "
                "service was moved), or empty the database by hand, if nobody needs what it holds."
            )
        self.instance.write_state("installing", self.release.version)
        account = pwd.getpwnam(self.instance.user)
        for name in ("config.php", "CAN_INSTALL"):
            path = self.instance.config_dir / name
            path.touch(mode=0o640)
            os.chown(path, account.pw_uid, account.pw_gid)
        self.instance.occ(
            "maintenance:install",
            "--database=pgsql",
            f"--database-name={self.database['name']}",
            f"--database-user={self.database['user']}",
            f"--database-host={self.database['host']}",
            "--database-pass=",  # peer authentication; an absent option would be asked for
            "--disable-admin-user",  # a password would stand in the argument list
            f"--data-dir={self.data_dir}",
            tree=self.release,
        )

    def clear_leftovers(self) -> None:
        """Throw away a half-made installation: tables, configuration and application data."""
        self.query(EMPTY_DATABASE)
        (self.instance.config_dir / "config.php").unlink(missing_ok=True)
        for folder in self.data_dir.glob("appdata_*"):
            shutil.rmtree(folder)

    def upgrade(self) -> None:
        """Bring the database to the release. Nextcloud keeps its maintenance mode on until this is complete."""
        self.refuse_database()
        self.instance.write_state("upgrading", self.release.version)
        timer = self.module.params["timer"]
        self.module.run_command(["systemctl", "stop", timer, timer.replace(".timer", ".service")])
        self.instance.occ("upgrade", tree=self.release)
        if self.instance.read_config().get("maintenance"):
            self.end_maintenance()

    def end_maintenance(self) -> None:
        """Open the instance again."""
        self.instance.occ("maintenance:mode", "--off", tree=self.release)

    def switch(self) -> None:
        """Point the link at the release, in one step."""
        part = self.instance.current_link.with_name(".current")
        part.unlink(missing_ok=True)
        part.symlink_to(self.release.path)
        part.replace(self.instance.current_link)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "release_dir": {"type": "path", "required": True},
            "data_dir": {"type": "path", "required": True},
            "database": {"type": "dict", "required": True},
            "database_versions": {"type": "list", "elements": "int", "required": True},
            "timer": {"type": "str", "required": True},
            **INSTANCE_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    lifecycle = Lifecycle(module)
    before = Tree(lifecycle.instance.current_link).name
    steps = lifecycle.steps()
    if not module.check_mode:
        for _, step in steps:
            step()
    actions = [words for words, _ in steps]
    module.exit_json(
        changed=bool(steps),
        actions=actions,
        diff={"before": f"{before}\n", "after": "".join(f"{line}\n" for line in actions or [before])},
    )


if __name__ == "__main__":
    main()
