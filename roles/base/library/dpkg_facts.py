#!/usr/bin/python
"""Read which Debian packages are installed."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: dpkg_facts
short_description: Read which Debian packages are installed
description:
  - Only of those that are named; every task copies all facts, and the facts of some 500 packages cost a fifth of a run.
  - C(ansible_facts.packages) has the shape that M(ansible.builtin.package_facts) gives it. That module opens
    apt's cache, which takes a second or two, and needs python3-apt, which a bare host may lack.
options:
  names:
    description: Names of the packages that matter.
    required: true
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Read which packages are there
  dpkg_facts:
    names: [nginx, openssl]
"""

RETURN = r"""
ansible_facts:
  description: C(packages), a list of versions by package name; without those that are not installed.
  returned: always
  type: dict
  sample: {packages: {nginx: [{name: nginx, version: 1.26.3-3, arch: amd64, source: apt}]}}
"""

_FORMAT = r"${db:Status-Status}\t${Package}\t${Version}\t${Architecture}\n"


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={"names": {"type": "list", "elements": "str", "required": True}},
        supports_check_mode=True,
    )
    names = set(module.params["names"])
    _, output, _ = module.run_command(["dpkg-query", "--show", "--showformat", _FORMAT], check_rc=True)
    packages: dict[str, list[dict[str, str]]] = {}
    for line in output.splitlines():
        status, name, version, architecture = line.split("\t")
        if status == "installed" and name in names:
            package = {"name": name, "version": version, "arch": architecture, "source": "apt"}
            packages.setdefault(name, []).append(package)
    module.exit_json(ansible_facts={"packages": packages})


if __name__ == "__main__":
    main()
