#!/usr/bin/python
"""Ansible module: which authorities a Java program trusts, in a file of its own."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: java_truststore
short_description: Keep a Java trust store that holds certain authorities and no others
description:
  - Writes the key store type JKS, which every Java reads. The same certificates give the same bytes, so no JVM has to
    start to see whether the store is current.
  - C(keytool) wants a password for such a file; it is C(changeit), as it is for Java's own, and protects nothing.
options:
  path: {description: The store's file., type: path, required: true}
  certificates:
    description: Certificates as PEM; one text may hold several.
    type: list
    elements: str
    required: true
author: [sovstack]
"""

EXAMPLES = r"""
- name: Trust the deployment's own authority
  java_truststore:
    path: /etc/jitsi/jicofo/truststore.jks
    certificates: ["{{ jicofo_ca_certificate }}"]
"""

RETURN = r""" # """

import base64
import binascii
import hashlib
import pathlib
import re
import struct

from ansible.module_utils.basic import AnsibleModule

PASSWORD = "changeit"  # noqa: S105  # Java's own well-known one
MAGIC, VERSION, TRUSTED = 0xFEEDFEED, 2, 2
# What Java puts between the password and the content before it takes the digest.
SALT = b"Mighty Aphrodite"
PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)


def keystore(certificates: list[bytes]) -> bytes:
    """The content of a store that trusts the certificates, which are DER."""

    def text(value: str) -> bytes:
        return struct.pack(">H", len(value)) + value.encode("ascii")

    content = struct.pack(">III", MAGIC, VERSION, len(certificates))
    for number, certificate in enumerate(certificates, start=1):
        added = struct.pack(">Q", 0)  # the time of the entry would make every store another one
        content += struct.pack(">I", TRUSTED) + text(f"authority-{number}") + added
        content += text("X.509") + struct.pack(">I", len(certificate)) + certificate
    digest = hashlib.sha1(PASSWORD.encode("utf-16-be") + SALT + content)  # noqa: S324  # the format's own
    return content + digest.digest()


def decoded(texts: list[str]) -> list[bytes]:
    """The certificates as DER.

    Raises:
        ValueError: A text holds no certificate, or one that is damaged.
    """
    found = []
    for text in texts:
        bodies = PEM.findall(text)
        if not bodies:
            raise ValueError("no certificate in it")
        try:
            found += [base64.b64decode("".join(body.split()), validate=True) for body in bodies]
        except binascii.Error as error:
            raise ValueError(f"damaged: {error}") from error
    return found


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "certificates": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    path = pathlib.Path(module.params["path"])
    try:
        wanted = keystore(decoded(module.params["certificates"]))
    except ValueError as error:
        module.fail_json(msg=f"certificates: {error}")
    present = path.read_bytes() if path.exists() else b""
    mode = path.stat().st_mode & 0o7777 if path.exists() else 0
    changed = present != wanted or mode != 0o644
    if changed and not module.check_mode:
        part = path.with_suffix(".part")
        part.write_bytes(wanted)
        part.chmod(0o644)
        part.replace(path)

    def description(content: bytes) -> str:
        return f"SHA-256 {hashlib.sha256(content).hexdigest()}\n" if content else ""

    diff = {"before": description(present), "after": description(wanted)}
    module.exit_json(changed=changed, diff={**diff, "before_header": str(path), "after_header": str(path)})


if __name__ == "__main__":
    main()
