#!/usr/bin/python
"""Ansible module: folders of root that hold what they are to hold and nothing else."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: portal_folders
short_description: Make folders, and remove from them what is not wanted
description:
  - What lies in a folder of the web server is published. A page in a language that is not wanted any more, or a logo
    of before, goes away, as does what somebody else put there.
  - It writes no file. What is wanted and missing stays missing.
options:
  folders: {description: Names of the wanted files by folder., type: dict, required: true}
author: [sovstack]
"""

EXAMPLES = r"""
- name: Make the folders
  portal_folders:
    folders:
      /srv/portal: [nl.html, portal.css]
"""

RETURN = r"""
removed:
  description: What was removed, or would be in check mode.
  returned: always
  type: list
  elements: str
  sample: [/srv/portal/en.html]
"""

import pathlib
import shutil

from ansible.module_utils.basic import AnsibleModule

MODE = 0o755


def unwanted(folder: pathlib.Path, names: list[str]) -> list[pathlib.Path]:
    """What is in a folder and is not wanted there."""
    return sorted(path for path in folder.glob("*") if path.name not in names)


def remove(path: pathlib.Path) -> None:
    """Remove a file, a link or a folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def attributes(folder: pathlib.Path) -> str:
    """Owner and mode of a folder, or that there is none."""
    if not folder.is_dir():
        return "absent"
    status = folder.stat()
    return f"{status.st_uid}:{status.st_gid} {status.st_mode & 0o7777:04o}"


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={"folders": {"type": "dict", "required": True}}, supports_check_mode=True
    )
    diff, removed = [], []
    for name, names in module.params["folders"].items():
        folder = pathlib.Path(name)
        found, others = attributes(folder), unwanted(folder, names)
        wanted = f"0:0 {MODE:04o}"
        if found == wanted and not others:
            continue
        before = [found, *map(str, others)]
        headers = {"before_header": name, "after_header": name}
        diff.append({"before": "".join(f"{line}\n" for line in before), "after": f"{wanted}\n", **headers})
        removed += map(str, others)
        if not module.check_mode:
            folder.mkdir(exist_ok=True)
            shutil.chown(folder, 0, 0)
            folder.chmod(MODE)
            for path in others:
                remove(path)
    module.exit_json(changed=bool(diff), removed=removed, diff=diff)


if __name__ == "__main__":
    main()
