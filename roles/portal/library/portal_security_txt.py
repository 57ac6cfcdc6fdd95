#!/usr/bin/python
"""Ansible module: security.txt is published, unaltered and not about to end."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: portal_security_txt
short_description: Publish security.txt where it is missing, altered or about to end
description:
  - Runs the program that the timer runs, too, and reports the difference that the program prints. In check mode, the
    program only says what it would do; on a host that has no such program yet, everything is still to be done.
options:
  program:
    description: The program; with C(--check) it prints what it would change, without it changes that.
    type: path
    required: true
author:
  - sovstack
"""

EXAMPLES = r"""
- name: Publish security.txt
  portal_security_txt:
    program: /usr/local/sbin/portal-security-txt
"""

import pathlib

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={"program": {"type": "path", "required": True}}, supports_check_mode=True
    )
    program = module.params["program"]
    if module.check_mode and not pathlib.Path(program).exists():
        module.exit_json(changed=True)
    command = [program, *(["--check"] if module.check_mode else [])]
    difference = module.run_command(command, check_rc=True)[1]
    module.exit_json(changed=bool(difference), diff={"prepared": difference})


if __name__ == "__main__":
    main()
