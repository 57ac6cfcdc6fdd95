#!/usr/bin/python
"""Ansible module: Mattermost's settings as the environment that its unit starts with."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mattermost_environment
short_description: Write the environment of Mattermost's unit
description:
  - Writes C(mattermost.env), and C(secrets.env) for root alone; systemd reads them before it starts the server. A
    setting C(ServiceSettings.SiteURL) becomes C(MM_SERVICESETTINGS_SITEURL); a secret one wins over an open one.
  - The difference that it reports names secret settings, and never their values, old or new.
options:
  config_dir: {description: Folder of the two files., type: path, required: true}
  settings: {description: Settings by section and name., type: dict, required: true}
  secrets: {description: Settings that no output may show., type: dict, default: {}, no_log: true}
author: [sovstack]
"""

EXAMPLES = r"""
- name: Write the settings
  mattermost_environment:
    config_dir: /etc/mattermost
    settings: {ServiceSettings.SiteURL: https://chat.example.org, ServiceSettings.EnableLinkPreviews: false}
    secrets: {EmailSettings.SMTPPassword: "{{ mail_password }}"}
"""

RETURN = r""" # """

import json
import os
import pathlib
import re
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule

HEADER = "# Managed by sovstack: the next run undoes changes by hand. These settings win over those in the database.\n"


def text_of(value: Any) -> str:
    """A value as Mattermost reads it from a variable (config/environment.go): lists by blanks, mappings as JSON."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True)
    if isinstance(value, list):
        return " ".join(text_of(item) for item in value)
    return str(value)


def quoted(text: str) -> str:
    """Text in double quotes, as systemd.exec(5) takes it back out of an EnvironmentFile."""
    return '"' + re.sub(r'(["\\`$])', r"\\\1", text) + '"'


def render(settings: dict[str, Any]) -> str:
    """Text of an EnvironmentFile, sorted by name."""
    lines = {f"MM_{name.upper().replace('.', '_')}": text_of(value) for name, value in settings.items()}
    return HEADER + "".join(f"{name}={quoted(lines[name])}\n" for name in sorted(lines))


def hidden(text: str, other: str, state: str) -> str:
    """A file of secrets, line by line without its values; a line that `other` has not got says its `state`."""
    known = set(other.splitlines())
    shown = []
    for line in text.splitlines():
        name = re.match(r"MM_\w+(?==)|#", line)
        shown.append(f"{name[0] if name else '(a line)'} (hidden{'' if line in known else f', {state}'})\n")
    return "".join(shown)


def write(path: pathlib.Path, text: str, mode: int) -> None:
    """Replace a file in one step."""
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    pathlib.Path(part).chmod(mode)
    pathlib.Path(part).replace(path)


def guarded(path: pathlib.Path, mode: int) -> bool:
    """Whether a file belongs to root with exactly this mode."""
    stat = path.stat()
    return (stat.st_uid, stat.st_gid, stat.st_mode & 0o7777) == (0, 0, mode)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "config_dir": {"type": "path", "required": True},
            "settings": {"type": "dict", "required": True},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
        },
        supports_check_mode=True,
    )
    folder = pathlib.Path(module.params["config_dir"])
    secrets: dict[str, Any] = module.params["secrets"]
    settings = {name: value for name, value in module.params["settings"].items() if name not in secrets}
    diff = []
    for name, values, mode in (("mattermost.env", settings, 0o644), ("secrets.env", secrets, 0o600)):
        path, after = folder / name, render(values)
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        if before == after and guarded(path, mode):
            continue
        old, new = before, after
        if values is secrets:
            old, new = hidden(before, after, "as it was"), hidden(after, before, "as wanted")
        if before == after:
            status = path.stat()
            old = f"{status.st_uid}:{status.st_gid} {status.st_mode & 0o7777:04o}\n"
            new = f"0:0 {mode:04o}\n"
        diff.append({"before_header": str(path), "after_header": str(path), "before": old, "after": new})
        if not module.check_mode:
            write(path, after, mode)
    module.exit_json(changed=bool(diff), diff=diff)


if __name__ == "__main__":
    main()
