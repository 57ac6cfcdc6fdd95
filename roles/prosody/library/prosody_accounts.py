#!/usr/bin/python
"""Ansible module: accounts of a Prosody that keeps hashes of their passwords."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: prosody_accounts
short_description: Make accounts of a Prosody, with these passwords
description:
  - Compares each password with the hash that Prosody keeps (SCRAM-SHA-1, RFC 5802), and calls C(prosodyctl) only for
    what differs. Passwords go over standard input, so that no list of processes shows them.
  - Accounts that are not named stay as they are. Prosody has to run.
options:
  host: {description: Virtual host of the accounts., type: str, required: true}
  accounts: {description: Passwords by name., type: dict, required: true, no_log: true}
  data_dir: {description: Folder of Prosody's data., type: path, default: /var/lib/prosody}
author: [sovstack]
"""

EXAMPLES = r"""
- name: Make Jicofo's account
  prosody_accounts:
    host: auth.meet.example.org
    accounts:
      focus: "{{ prosody_jicofo_password }}"
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode.
  returned: always
  type: list
  elements: str
  sample: [make focus@auth.meet.example.org]
"""

import hashlib
import hmac
import pathlib
import re
import time

from ansible.module_utils.basic import AnsibleModule

# A server that was started a moment ago does not listen yet.
PATIENCE_SECONDS = 30.0


def file_name(text: str) -> str:
    """A name as Prosody's util.datamanager writes it to the disk."""
    return re.sub(r"[^A-Za-z0-9]", lambda match: f"%{ord(match[0]):02x}", text)


def knows(path: pathlib.Path, password: str) -> bool | None:
    """Whether the account in this file has this password; None where there is no account."""
    if not path.is_file():
        return None
    text = path.read_text(encoding="utf-8")
    fields = dict(re.findall(r'\["(\w+)"\]\s*=\s*"?([^";]*)"?;', text))
    if not {"salt", "iteration_count", "stored_key"} <= set(fields):
        return False
    rounds = int(fields["iteration_count"])
    salted = hashlib.pbkdf2_hmac("sha1", password.encode(), fields["salt"].encode(), rounds)
    client_key = hmac.digest(salted, b"Client Key", "sha1")
    stored_key = hashlib.sha1(client_key).hexdigest()  # noqa: S324  SCRAM-SHA-1 (RFC 5802) is what Prosody keeps
    return hmac.compare_digest(stored_key, fields["stored_key"])


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "required": True},
            "accounts": {"type": "dict", "required": True, "no_log": True},
            "data_dir": {"type": "path", "default": "/var/lib/prosody"},
        },
        supports_check_mode=True,
    )
    host, actions, before = module.params["host"], [], []
    folder = pathlib.Path(module.params["data_dir"]) / file_name(host) / "accounts"
    for name, password in sorted(module.params["accounts"].items()):
        path = folder / f"{file_name(name)}.dat"
        known = knows(path, password)
        if known:
            continue
        verb, action = ("adduser", "make") if known is None else ("passwd", "set the password of")
        actions.append(f"{action} {name}@{host}")
        before.append(f"{name}@{host}: {'no account' if known is None else 'another password'}")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not module.check_mode and not knows(path, password):
            command = ["prosodyctl", verb, f"{name}@{host}"]
            status, output, errors = module.run_command(command, data=f"{password}\n{password}")
            if not knows(path, password) and time.monotonic() > deadline:
                said = f"{output}{errors}".replace(password, "***").strip().splitlines()[-1:]
                module.fail_json(msg=f"prosodyctl {verb} {name}@{host} ended with {status}: {''.join(said)}")
            time.sleep(0 if knows(path, password) else 1)
    after = [f"{line.partition(':')[0]}: an account with the password of the profile" for line in before]
    diff = {
        "before": "".join(f"{line}\n" for line in before),
        "after": "".join(f"{line}\n" for line in after),
    }
    module.exit_json(changed=bool(actions), actions=actions, diff=diff)


if __name__ == "__main__":
    main()
