#!/usr/bin/python
"""Ansible module: the kernel has the parameters of a file in sysctl.d."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
---
module: sysctl_current
short_description: Keep the kernel's parameters at the values of a file
description:
  - systemd-sysctl sets them when the machine starts; whoever changes one later is noticed here.
  - What the machine does not have, or a container may not change, is left alone.
options:
  path: {description: File of sysctl.d with C(name = value)., type: path, required: true}
author: [sovstack]
"""

EXAMPLES = r"""
- name: Give the kernel its parameters
  sysctl_current:
    path: /etc/sysctl.d/60-sovstack.conf
"""

RETURN = r""" # """


def parameters(text: str) -> dict[str, str]:
    """Return the values by name that a file of sysctl.d gives."""
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.lstrip("-").partition("=") for line in lines if "=" in line and line[0] not in "#;")
    return {name.strip(): value.strip() for name, _, value in pairs}


def place(name: str, root: Path = Path("/proc/sys")) -> Path:
    """Return the file of a parameter."""
    return root / name.replace(".", "/")


def is_writable(path: Path) -> bool:
    """Whether the kernel lets this machine change the parameter."""
    try:
        with path.open("r+"):
            return True
    except OSError:
        return False


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={"path": {"type": "path", "required": True}}, supports_check_mode=True
    )
    path = Path(module.params["path"])
    wanted = parameters(path.read_text(encoding="utf-8")) if path.exists() else {}
    before, after = "", ""
    for name, value in sorted(wanted.items()):
        file = place(name)
        if not file.exists() or (found := " ".join(file.read_text().split())) == " ".join(value.split()):
            continue
        if not is_writable(file):
            continue
        before += f"{name} = {found}\n"
        after += f"{name} = {value}\n"
        if not module.check_mode:
            file.write_text(f"{value}\n")
    module.exit_json(
        changed=before != after,
        diff={"before_header": "/proc/sys", "after_header": "/proc/sys", "before": before, "after": after},
    )


if __name__ == "__main__":
    main()
