#!/usr/bin/python
"""Ansible module: the kernel filters by the rules of a file, whatever somebody did to them since."""

from __future__ import annotations

import shlex

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
---
module: nftables_current
short_description: Keep loaded tables of nftables as their file has them
description:
  - The file is loaded into an empty network namespace, where it filters nothing, and listed there; what the kernel
    lists of the machine itself has to be the same. Counters and what dynamic sets have gathered do not count.
options:
  path: {description: The file that C(unit) loads., type: path, required: true}
  tables: {description: 'Tables that it makes, as C(inet filter).', type: list, elements: str, required: true}
  unit: {description: Unit that is reloaded where they differ., type: str, default: nftables.service}
author: [sovstack]
"""

EXAMPLES = r"""
- name: Load the rules that somebody changed
  nftables_current:
    path: /etc/nftables.conf
    tables: [inet filter]
"""

RETURN = r""" # """

NFT = "/usr/sbin/nft"


def list_tables(tables: list[str]) -> str:
    """Return a shell command that lists tables without what changes by itself; a missing one is not listed."""
    return (
        "; ".join(f"{NFT} --stateless --terse list table {table} 2>/dev/null" for table in tables) + "; true"
    )


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "tables": {"type": "list", "elements": "str", "required": True},
            "unit": {"type": "str", "default": "nftables.service"},
        },
        supports_check_mode=True,
    )
    listing = list_tables(module.params["tables"])
    load = f"{NFT} --file {shlex.quote(module.params['path'])}"
    _, loaded, _ = module.run_command(["/bin/sh", "-c", listing], check_rc=True)
    _, wanted, _ = module.run_command(
        ["unshare", "--net", "/bin/sh", "-c", f"{load} && {{ {listing}; }}"], check_rc=True
    )
    if loaded != wanted and not module.check_mode:
        module.run_command(["systemctl", "reload-or-restart", module.params["unit"]], check_rc=True)
    module.exit_json(
        changed=loaded != wanted,
        diff={
            "before_header": "nft list ruleset",
            "after_header": module.params["path"],
            "before": loaded,
            "after": wanted,
        },
    )


if __name__ == "__main__":
    main()
