#!/usr/bin/python
"""Ansible module: what a host carries is written down, and what it no longer carries does not run."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: host_declared
short_description: Declare what a host carries, and retire what it carried before
description:
  - Writes the roles, units and sockets of a host to a file.
  - What the file named before and is not wanted any more is retired. Its units are stopped and do not start again; one
    that a generator starts, as Debian's does PostgreSQL, cannot be disabled and is masked. C(unit_current) undoes both
    when the role is back. Data, programs and configuration stay.
  - The file keeps the names of what is retired, so that a unit that somebody starts is stopped by the next run, and
    what is left can be removed.
options:
  path: {description: The file., type: path, required: true}
  roles: {description: Roles of this host., type: list, elements: str, required: true}
  units: {description: Their units., type: list, elements: str, required: true}
  sockets: {description: What listens., type: list, elements: dict, required: true}
author: [sovstack]
"""

EXAMPLES = r"""
- name: Declare what the host carries
  host_declared:
    path: /etc/sovstack/declared.json
    roles: [base, redis]
    units: [valkey-server.service]
    sockets: []
"""

RETURN = r"""
stopped:
  description: The units that were stopped or kept from starting, or would be in check mode.
  returned: always
  type: list
  elements: str
  sample: [mattermost.service]
"""

import json
import os
import pathlib
from typing import Any

from ansible.module_utils.basic import AnsibleModule

MODE = 0o644
PROPERTIES = "Id,LoadState,ActiveState,UnitFileState"


def read(text: str) -> dict[str, Any]:
    """An earlier declaration; empty where it cannot be read. What somebody wrote after it does not matter."""
    try:
        found = json.JSONDecoder().raw_decode(text)[0]
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def gone(kind: str, former: dict[str, Any], wanted: list[str]) -> list[str]:
    """Roles or units that were declared or retired before and are not wanted."""
    before = {*former.get(kind, []), *former.get("retired", {}).get(kind, [])}
    return sorted(before - set(wanted))


def starts(unit: dict[str, str]) -> bool:
    """Whether a unit starts with the host."""
    return unit["UnitFileState"].startswith(("enabled", "generated"))


def runs(unit: dict[str, str]) -> bool:
    """Whether a unit runs or is about to."""
    return unit["ActiveState"] not in {"inactive", "failed", "deactivating"}


def render(declared: dict[str, Any]) -> str:
    """Text of the file."""
    return json.dumps(declared, indent=4, sort_keys=True) + "\n"


def write(path: pathlib.Path, text: str) -> None:
    """Replace the file in one step."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.chmod(MODE)
    part.replace(path)


class Host:
    """The units of the host."""

    def __init__(self, module: AnsibleModule) -> None:
        """Take the module that runs commands."""
        self.module = module

    def systemctl(self, *arguments: str) -> str:
        """Output of systemctl; the module fails where it does."""
        status, output, errors = self.module.run_command(["systemctl", *arguments])
        if status != 0:
            self.module.fail_json(msg=f"systemctl {' '.join(arguments)}: {errors.strip()}")
        return str(output)

    def units(self, names: list[str]) -> list[dict[str, str]]:
        """Properties of those units that are there, be it without a file of theirs."""
        if not names:
            return []
        blocks = self.systemctl("show", f"--property={PROPERTIES}", *names).strip().split("\n\n")
        found = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in blocks]
        return [unit for unit in found if unit["LoadState"] != "not-found" or runs(unit)]

    def retire(self, name: str) -> None:
        """Stop a unit and keep it from starting."""
        self.systemctl("stop", name)
        for verb in ("disable", "mask"):
            if any(starts(unit) for unit in self.units([name])):
                self.systemctl(verb, name)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "roles": {"type": "list", "elements": "str", "required": True},
            "units": {"type": "list", "elements": "str", "required": True},
            "sockets": {"type": "list", "elements": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    host, path = Host(module), pathlib.Path(module.params["path"])
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    former, declared = read(text), {key: module.params[key] for key in ("roles", "units", "sockets")}
    retired = host.units(gone("units", former, declared["units"]))
    declared["retired"] = {
        "roles": gone("roles", former, declared["roles"]),
        "units": [unit["Id"] for unit in retired],
    }
    diff = []
    stopped = [unit for unit in retired if runs(unit) or starts(unit)]
    for unit in stopped:
        # Before the file is written: a run that is cut off here has not forgotten it.
        if not module.check_mode:
            host.retire(unit["Id"])
        before = f"{unit['ActiveState']}, {unit['UnitFileState']}\n"
        headers = {"before_header": unit["Id"], "after_header": unit["Id"]}
        diff.append({"before": before, "after": "stopped: the profile no longer names it\n", **headers})
    wanted = render(declared)
    status = path.stat() if path.exists() else None
    owned = status is None or (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (0, 0, MODE)
    if text != wanted or not owned:
        attributes = (
            ""
            if owned or status is None
            else f"{status.st_uid}:{status.st_gid} {status.st_mode & 0o7777:04o}\n"
        )
        headers = {"before_header": str(path), "after_header": str(path)}
        diff.append({"before": attributes + text, "after": wanted, **headers})
        if not module.check_mode:
            write(path, wanted)
    module.exit_json(changed=bool(diff), stopped=[unit["Id"] for unit in stopped], diff=diff)


if __name__ == "__main__":
    main()
