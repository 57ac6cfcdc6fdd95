"""A secret, used in every way that roles use one, turns up nowhere that anybody else can read.

One way is not here, because roles must not use it: a secret under ``environment:``. Without mitogen, Ansible
writes it onto the command line of the shell that it starts, on both computers (``tests/repo`` refuses it).
"""

from __future__ import annotations

import base64
import html
import json
import os
import threading
import time
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from provisioner.profile import read_profile
from provisioner.profile.secrets import FILE_NAME, SecretStore, VaultPassword

from .conftest import Deployment

PLAYBOOK = """
handlers:
  - name: Restart with it
    ansible.builtin.command: {{argv: [cat], stdin: "{{{{ nextcloud_admin_password }}}}"}}
    no_log: true
tasks:
  - name: Keep it in a file
    ansible.builtin.copy: {{content: "p={{{{ nextcloud_admin_password }}}}\\n", dest: {root}/kept, mode: "0600"}}
    no_log: true
    notify: Restart with it
  - name: Keep it in a template
    ansible.builtin.template: {{src: {root}/it.j2, dest: {root}/templated, mode: "0600"}}
    no_log: true
  - name: Hand it to a program
    ansible.builtin.command: {{argv: [sh, -c, "cat; sleep 1"], stdin: "{{{{ nextcloud_admin_password }}}}"}}
    no_log: true
    changed_when: false
  - name: Keep each of a list
    ansible.builtin.copy: {{content: "{{{{ item }}}}", dest: "{root}/kept-{{{{ item | length }}}}", mode: "0600"}}
    loop: ["{{{{ nextcloud_admin_password }}}}", other]
    no_log: true
  - name: Keep a key
    ansible.builtin.copy: {{content: "{{{{ tls_ca_key }}}}", dest: {root}/key, mode: "0600"}}
    no_log: true
  - name: Fall with it
    ansible.builtin.command: {{argv: [sh, -c, "cat >&2; exit 1"], stdin: "{{{{ nextcloud_admin_password }}}}"}}
    no_log: true
    ignore_errors: true
  # From here on a role has forgotten no_log.
  - name: Show it
    ansible.builtin.debug: {{msg: "it is {{{{ nextcloud_admin_password }}}}"}}
  - name: Show it encoded
    ansible.builtin.debug:
      msg: "{{{{ ('admin:' ~ nextcloud_admin_password) | b64encode }}}} {{{{ nextcloud_admin_password | urlencode }}}}"
  - name: Show its difference
    ansible.builtin.copy: {{content: "q={{{{ nextcloud_admin_password }}}}\\n", dest: {root}/shown, mode: "0600"}}
  - name: Fall and print it
    ansible.builtin.command:
      argv: [sh, -c, "cat; cat {root}/key >&2; exit 1"]
      stdin: "{{{{ nextcloud_admin_password }}}}"
"""


def traces(secret: str) -> list[bytes]:
    """Return what would give the secret away."""
    forms = {
        secret,
        json.dumps(secret)[1:-1],
        quote(secret, safe=""),
        quote_plus(secret),
        html.escape(secret),
        *(base64.b64encode(b"." * n + secret.encode()).decode()[4:-4] for n in range(3)),
    }
    for line in secret.splitlines():
        if len(line) > 20 and "-----" not in line:
            forms |= {line, base64.b64encode(line.encode()).decode()[4:-4]}
    return [form.encode() for form in forms]


class Watch(threading.Thread):
    """Look at the arguments and the environment of every process, as long as the run goes on."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: dict[tuple[str, bytes], None] = {}
        self.enough = threading.Event()

    def run(self) -> None:
        own = str(os.getpid())
        while not self.enough.is_set():
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit() and entry.name != own:
                    for kind in ("cmdline", "environ"):
                        try:
                            self.seen[kind, (entry / kind).read_bytes()] = None
                        except OSError:
                            continue
            time.sleep(0.005)


@pytest.mark.parametrize("transport", ["mitogen", "ssh"])
def test_no_secret_turns_up_anywhere(local: Deployment, transport: str) -> None:
    local.write_playbook(PLAYBOOK.format(root=local.root))
    (local.root / "it.j2").write_text("{{ nextcloud_admin_password }}\n")
    watch = Watch()
    watch.start()
    done = local.run(SOVSTACK_TRANSPORT=transport, SOVSTACK_DEBUG="1")
    watch.enough.set()
    watch.join()
    assert done.returncode == 4, done.stderr
    reading = read_profile(local.folder)
    store = SecretStore(local.folder / FILE_NAME, VaultPassword(reading.profile.secrets.vault_password))
    secrets = [store.password.resolve().reveal()]
    secrets += [secret.reveal() for name, secret in store.read().items() if name != "tls_ca_certificate"]
    # The playbook really had them: otherwise this test would find nothing for a bad reason.
    assert secrets[1:] and any(secret in (local.root / "kept").read_text() for secret in secrets)
    assert "-----BEGIN" in (local.root / "key").read_text()
    assert "***" in done.stderr + (local.run_directories()[0] / "events.jsonl").read_text()

    places: dict[str, bytes] = {"stdout": done.stdout.encode(), "stderr": done.stderr.encode()}
    for number, (kind, content) in enumerate(watch.seen):
        places[f"{kind} {number}"] = content
    for root in (local.root / "state", local.memory):
        for path in root.rglob("*"):
            if path.is_file():
                places[str(path)] = path.read_bytes()
    report_files = {Path(place).name for place in places}
    assert {"report.json", "report.html", "report.md", "junit.xml", "events.jsonl"} <= report_files
    for secret in secrets:
        for form in traces(secret):
            assert [place for place, content in places.items() if form in content] == [], form[:6]
