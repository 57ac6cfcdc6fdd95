#!/usr/bin/python
"""Ansible module: a systemd unit runs, and runs with the files that lie on the disk now."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: unit_current
short_description: Keep a systemd unit enabled, running and current with its files
description:
  - Enables and starts a unit, and restarts or reloads it when one of its files is newer than its start.
  - A handler is forgotten when a run is killed between the change and the handler, and the unit then keeps running
    with its old files. This module compares the unit with its files, so the next run notices.
  - The unit's own file and its drop-ins always count, after a daemon-reload where systemd asks for one, also for what
    the unit triggers. One drop-in can be given here; every other one that an administrator could have written, below
    C(/etc/systemd/system) or C(/run/systemd/system), is foreign and goes away. So is a whole unit there that hides the
    package's, as C(systemctl edit --full) writes it, where a drop-in is given: that one is made for the package's unit.
options:
  name:
    description: Full name of the unit, for example C(nginx.service).
    type: str
    required: true
  drop_in:
    description: Text of C(/etc/systemd/system/NAME.d/sovstack.conf).
    type: str
  restart_on:
    description: Files, or patterns of files, that the unit reads only when it starts.
    type: list
    elements: str
    default: []
  reload_on:
    description: Files, or patterns of files, that the unit reads again when it is reloaded.
    type: list
    elements: str
    default: []
  enabled:
    description: Whether the unit starts with the machine.
    type: bool
    default: true
  exclusive:
    description: Whether drop-ins of an administrator go away; a unit of Debian's own may have some.
    type: bool
    default: true
author:
  - sovstack
"""

EXAMPLES = r"""
- name: Run PostgreSQL with its current configuration
  unit_current:
    name: postgresql@17-main.service
    restart_on: [/etc/postgresql/17/main/conf.d/*.conf]
    reload_on: [/etc/postgresql/17/main/pg_hba.conf]
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in this order.
  returned: always
  type: list
  elements: str
  sample: [daemon-reload, restart]
"""

import datetime as dt
import os
import pathlib
import re

from ansible.module_utils.basic import AnsibleModule

PROPERTIES = (
    "LoadState,ActiveState,UnitFileState,ActiveEnterTimestamp,"
    "NeedDaemonReload,FragmentPath,DropInPaths,Triggers"
)
# systemd keeps no time of the last reload; these files do. /run is empty after a boot, when a reload has no meaning.
RELOAD_STAMPS = pathlib.Path("/run/sovstack/reloaded")
UNITS = pathlib.Path("/etc/systemd/system")
# Where drop-ins come from that no package brings; `systemctl edit --runtime` and `set-property` write the others.
ADMINISTRATORS = (
    UNITS,
    pathlib.Path("/run/systemd/system"),
    pathlib.Path("/etc/systemd/system.control"),
    pathlib.Path("/run/systemd/system.control"),
)
MODE = 0o644


def timestamp(text: str) -> float:
    """Seconds since the epoch of systemd's `Tue 2026-11-24 08:16:14.123456 UTC`; 0.0 where it says nothing."""
    fields = text.split()
    if len(fields) != 4:
        return 0.0
    moment = dt.datetime.strptime(" ".join(fields[1:3]), "%Y-%m-%d %H:%M:%S.%f")
    return moment.replace(tzinfo=dt.timezone.utc).timestamp()  # noqa: UP017  # Python 3.9 and 3.10 are hosts too


def newest(patterns: list[str]) -> float:
    """Time of the last change among the files that match; 0.0 where none does."""
    root = pathlib.Path("/")
    found = (path for pattern in patterns if pattern for path in root.glob(pattern.lstrip("/")))
    return max((path.stat().st_mtime for path in found), default=0.0)


class Unit:
    """One unit as `systemctl` sees it."""

    def __init__(self, module: AnsibleModule, name: str) -> None:
        """Read the unit's properties."""
        self.module = module
        self.name = name
        self.properties = self.read()

    def systemctl(self, *arguments: str) -> str:
        """Run systemctl; the module fails with the unit's last log lines where it does."""
        status, output, errors = self.module.run_command(["systemctl", *arguments])
        if status != 0:
            read_log = ["journalctl", "--no-pager", "--lines=20", "--output=cat", f"--unit={self.name}"]
            log = self.module.run_command(read_log)[1]
            self.module.fail_json(
                msg=f"systemctl {' '.join(arguments)}: {errors.strip()}", log=log.splitlines()
            )
        return str(output)

    def read(self) -> dict[str, str]:
        """Properties by name."""
        output = self.systemctl("show", self.name, f"--property={PROPERTIES}", "--timestamp=us+utc")
        return dict(line.partition("=")[::2] for line in output.splitlines())

    @property
    def stamp(self) -> pathlib.Path:
        """File whose time is that of the last reload made here."""
        return RELOAD_STAMPS / self.name

    @property
    def drop_in(self) -> pathlib.Path:
        """The drop-in that is managed here."""
        return UNITS / f"{self.name}.d/sovstack.conf"

    def write_drop_in(self, text: str) -> None:
        """Replace the drop-in in one step."""
        self.drop_in.parent.mkdir(mode=0o755, exist_ok=True)
        part = self.drop_in.with_suffix(".part")  # systemd reads names that end in .conf only
        part.write_text(text, encoding="utf-8")
        part.chmod(MODE)
        part.replace(self.drop_in)
        self.properties = self.read()

    def attributes(self) -> str:
        """Owner and mode of the drop-in where they are not root's and 0644, for a diff; else empty."""
        if not self.drop_in.exists():
            return ""
        status = self.drop_in.stat()
        found = (status.st_uid, status.st_gid, status.st_mode & 0o7777)
        return "" if found == (0, 0, MODE) else f"# {found[0]}:{found[1]} {found[2]:04o}\n"

    def foreign(self, *, of_package: bool) -> list[pathlib.Path]:
        """Drop-ins of an administrator, of this unit and of what it triggers; and what hides the package's unit."""
        names = [self.name, *self.properties.get("Triggers", "").split()]
        names += [re.sub(r"@[^.]+", "@", name) for name in names if "@" in name]  # of all instances
        drop_ins = [
            path
            for folder in ADMINISTRATORS
            for name in names
            for path in (folder / f"{name}.d").glob("*.conf")
            if path != UNITS / f"{name}.d" / self.drop_in.name
        ]
        hiding = [
            folder / name
            for folder in ADMINISTRATORS
            for name in names
            # A link is a mask or another name.
            if of_package and (folder / name).is_file() and not (folder / name).is_symlink()
        ]
        return sorted([*drop_ins, *hiding])

    def triggers_outdated(self) -> bool:
        """Whether systemd has an old version of what this unit starts, as a timer starts its service."""
        triggered = self.properties.get("Triggers", "").split()
        return bool(triggered) and "yes" in self.systemctl("show", *triggered, "--property=NeedDaemonReload")

    def pending(self, *, enabled: bool, restart_on: list[str], reload_on: list[str]) -> list[str]:
        """The systemctl verbs that are still needed, in their order."""
        if self.properties["LoadState"] == "not-found":
            return ["enable", "start"]
        verbs = ["unmask"] if self.properties["LoadState"] == "masked" else []
        loaded = self.properties.get("DropInPaths", "").split()  # systemd leaves it out where it knows none
        # systemd itself does not notice the first drop-in of a unit: it remembers which of its folders exist.
        unnoticed = [str(path) for path in self.drop_in.parent.glob("*.conf") if str(path) not in loaded]
        started = timestamp(self.properties["ActiveEnterTimestamp"])
        if self.properties["NeedDaemonReload"] == "yes" or unnoticed or self.triggers_outdated():
            verbs.append("daemon-reload")
        own = [self.properties["FragmentPath"], *loaded, *unnoticed]
        if enabled and self.properties["UnitFileState"] in {"disabled", "masked", "masked-runtime"}:
            verbs.append("enable")
        if self.properties["ActiveState"] not in {"active", "reloading"}:
            verbs.append("start")
        elif newest([*restart_on, *own]) > started:
            verbs.append("restart")
        elif newest(reload_on) > max(started, newest([str(self.stamp)])):
            verbs.append("reload")
        return verbs

    def apply(self, verb: str) -> None:
        """Run one of the verbs of `pending`."""
        if verb == "daemon-reload":
            self.systemctl(verb)
            return
        if verb == "unmask":
            self.systemctl(verb, self.name)
            self.systemctl(verb, "--runtime", self.name)
            return
        if verb == "start":
            # A unit that failed too often in a row refuses to start until it is told to forget it.
            self.module.run_command(["systemctl", "reset-failed", self.name])
        if verb == "reload":
            RELOAD_STAMPS.mkdir(parents=True, exist_ok=True)
            self.stamp.touch()  # before the reload: a file that changes meanwhile is newer
        self.systemctl(verb, self.name)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "drop_in": {"type": "str"},
            "restart_on": {"type": "list", "elements": "str", "default": []},
            "reload_on": {"type": "list", "elements": "str", "default": []},
            "enabled": {"type": "bool", "default": True},
            "exclusive": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    unit = Unit(module, module.params["name"])
    text = unit.drop_in.read_text(encoding="utf-8") if unit.drop_in.exists() else ""
    wanted_text = text if module.params["drop_in"] is None else module.params["drop_in"]
    state = unit.properties["ActiveState"]
    attributes = "" if module.params["drop_in"] is None else unit.attributes()
    of_package = module.params["drop_in"] is not None
    foreign = unit.foreign(of_package=of_package) if module.params["exclusive"] else []
    texts = {path: path.read_text(encoding="utf-8", errors="replace") for path in foreign}
    stale = text != wanted_text or bool(attributes) or bool(foreign)
    if stale and not module.check_mode:
        if wanted_text:
            unit.write_drop_in(wanted_text)
        elif unit.properties["FragmentPath"].startswith(f"{UNITS}/"):
            os.utime(
                unit.properties["FragmentPath"]
            )  # newer than the start, should this be cut off before the restart
        for path in foreign:
            path.unlink()
        unit.systemctl("daemon-reload")
        unit.properties = unit.read()
    verbs = unit.pending(**{key: module.params[key] for key in ("enabled", "restart_on", "reload_on")})
    if stale and not {"start", "restart"} & set(verbs):
        # What went away is newer than no file, but the unit still runs with it.
        verbs = [*dict.fromkeys([*(verb for verb in verbs if verb != "reload"), "restart"])]
    if verbs and not module.check_mode:
        if unit.properties["LoadState"] == "not-found":
            unit.systemctl("daemon-reload")
        for verb in verbs:
            unit.apply(verb)
    headers = {"before_header": unit.name, "after_header": unit.name}
    diff = [{"before": f"{state}\n", "after": f"{', '.join(verbs) or state}\n", **headers}]
    changes = [(path, before, "") for path, before in texts.items()]
    if text != wanted_text or attributes:
        changes.insert(0, (unit.drop_in, attributes + text, wanted_text))
    for path, before, after in changes:
        diff.append({"before": before, "after": after, "before_header": str(path), "after_header": str(path)})
    module.exit_json(changed=bool(verbs), actions=verbs, diff=diff)


if __name__ == "__main__":
    main()
