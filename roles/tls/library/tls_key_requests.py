#!/usr/bin/python
"""Make private keys on the host and hand back what a certificate authority needs to know about them."""

from __future__ import annotations

import grp
import os
import re
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: tls_key_requests
short_description: Keep ECDSA P-256 keys on the host and return their certificate signing requests
description:
  - The keys never leave the host. Needs nothing but the C(openssl) command.
options:
  directory:
    description: Folder that has a folder of each certificate, with privkey.pem and fullchain.pem; created when missing.
    type: path
    required: true
  certificates:
    description: The certificates that the keys are for. What else is said of one is not looked at.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: Name of its folder., type: str, required: true}
      hostnames:
        description: DNS names of the request; the first is also its common name.
        type: list
        elements: str
        required: true
      group:
        description: System group that may read the key besides root, for a service that reads it as its own user.
        type: str
        default: root
  placeholder:
    description: Write a self-signed fullchain.pem where there is none, so that a web server can start.
    type: bool
    default: false
  acme_names:
    description: Names of the certificates that certbot is to renew; where given, C(retired) says what more it would.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Keep a key and a request
  tls_key_requests:
    directory: /etc/sovstack/tls
    certificates: [{name: cloud, hostnames: [cloud.zonnedael.example]}]
    acme_names: []
"""

RETURN = r"""
requests:
  description: One for each of the certificates, in their order.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: The certificate's name., type: str}
    hostnames: {description: Its DNS names., type: list, elements: str}
    csr: {description: The request as PEM; empty in check mode when there is no key yet., type: str}
    public_key: {description: The public key as PEM; empty like csr., type: str}
    certificate: {description: Content of fullchain.pem; empty when there is none., type: str}
retired:
  description: What is left of certificates that certbot was to renew.
  returned: with acme_names
  type: dict
  contains:
    paths: {description: "What would renew them, in the order in which to remove it.", type: list, elements: str}
    client: {description: Whether certbot was there for these alone., type: bool}
"""

_PUBLIC_KEY = re.compile(r"-----BEGIN PUBLIC KEY-----\n.*?-----END PUBLIC KEY-----\n", re.DOTALL)
_CHAIN_ATTRIBUTES = "0:0 0644\n"  # as describe_chain() has them
_CERTBOT = Path("/etc/letsencrypt")
_COMMON_NAME_MAX = 64  # characters, RFC 5280 ub-common-name


class KeyFolder:
    """The folder of one certificate: its key and its chain."""

    def __init__(self, module: AnsibleModule, name: str, hostnames: list[str], group: str) -> None:
        """Take what is said of the certificate."""
        self._module = module
        self.name = name
        self.hostnames = hostnames
        self._folder = Path(module.params["directory"]) / name
        self._group = group
        self._mode = 0o600 if self._group == "root" else 0o640
        self._key = self._folder / "privkey.pem"
        self._chain = self._folder / "fullchain.pem"

    def ensure_folder(self) -> bool:
        """Create the folder, which root alone changes; true when it was missing, or another's."""
        if self._folder.is_dir():
            return self._ensure_attributes(self._folder, 0o755, 0)
        if not self._module.check_mode:
            self._folder.mkdir(0o755, parents=True)
        return True

    def ensure_key(self, public_key: str) -> bool:
        """Make the key where there is no public half of one, and keep it to root; true when something was wrong."""
        if not public_key:
            if not self._module.check_mode:
                key = self._openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1")
                self._write(self._key, key, self._mode, self._gid())
            return True
        changed = self._has_other_text()
        if changed and not self._module.check_mode:
            self._write(self._key, self._openssl("pkey", "-in", str(self._key)), self._mode, self._gid())
        return self._ensure_attributes(self._key, self._mode, self._gid()) or changed

    def ensure_chain(self) -> bool:
        """Keep the chain readable to all and writable to root; true when it was not, or was another's."""
        return self._chain.exists() and self._ensure_attributes(self._chain, 0o644, 0)

    def ensure_placeholder(self) -> bool:
        """Write a certificate of its own for a day when there is none; true when there was none."""
        if self._chain.exists():
            return False
        if not self._module.check_mode:
            own = self._openssl(
                "req", "-x509", "-new", "-key", str(self._key), "-days", "1", *self._subject()
            )
            self._write(self._chain, own, 0o644)
        return True

    def public_key(self) -> str:
        """PEM of the key's public half; empty for a missing or damaged key, or one of another kind."""
        if not self._key.exists():
            return ""
        code, text, _ = self._module.run_command(
            ["openssl", "pkey", "-in", str(self._key), "-pubout", "-text_pub"]
        )
        found = _PUBLIC_KEY.search(text)
        return "" if code or "prime256v1" not in text or found is None else found.group()

    def describe_wish(self) -> str:
        """What `describe_key` is to say of owner and mode."""
        return f"0:{self._gid()} {self._mode:04o}\n"

    def _gid(self) -> int:
        """Number of the group; in a dry run its package may not be there yet."""
        try:
            return grp.getgrnam(self._group).gr_gid
        except KeyError:
            if self._module.check_mode:
                return -1
            self._module.fail_json(msg=f"There is no group {self._group} that could read {self._key}.")
            raise

    def describe_key(self, public_key: str) -> str:
        """What a diff may show of the key; empty when there is none."""
        if not self._key.exists():
            return ""
        other = "text besides the key\n" if self._has_other_text() else ""
        return self._describe_attributes(self._key) + (public_key or "no usable key\n") + other

    def describe_chain(self) -> str:
        """What a diff may show of the chain's file; empty when there is none."""
        return self._describe_attributes(self._chain) if self._chain.exists() else ""

    def diff(self, name: str, before: str, after: str) -> dict[str, str]:
        """The difference of one file of the folder, as Ansible shows it."""
        path = str(self._folder / name)
        return {"before_header": path, "after_header": path, "before": before, "after": after}

    def request(self) -> str:
        """The signing request as PEM."""
        return self._openssl("req", "-new", "-key", str(self._key), *self._subject())

    def certificate(self) -> str:
        """The chain as it is; empty when there is none."""
        return self._chain.read_text(errors="replace") if self._chain.exists() else ""

    def _has_other_text(self) -> bool:
        """Whether the key's file holds anything but one key as openssl writes it."""
        return not re.fullmatch(
            r"-----BEGIN PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+-----END PRIVATE KEY-----\n",
            self._key.read_text(errors="replace"),
        )

    @staticmethod
    def _describe_attributes(path: Path) -> str:
        status = path.stat()
        return f"{status.st_uid}:{status.st_gid} {status.st_mode & 0o7777:04o}\n"

    def _ensure_attributes(self, path: Path, mode: int, group: int) -> bool:
        status = path.stat()
        if (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (0, group, mode):
            return False
        if not self._module.check_mode:
            os.chown(path, 0, group)
            path.chmod(mode)
        return True

    def _openssl(self, *arguments: str) -> str:
        _, out, _ = self._module.run_command(["openssl", *arguments], check_rc=True)
        return str(out)

    def _subject(self) -> list[str]:
        name = self.hostnames[0]
        return [
            "-subj",
            f"/CN={name}" if len(name) <= _COMMON_NAME_MAX else "/",
            "-addext",
            "subjectAltName=" + ",".join(f"DNS:{hostname}" for hostname in self.hostnames),
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-addext",
            "keyUsage=critical,digitalSignature",
            "-addext",
            "extendedKeyUsage=serverAuth",
        ]

    def _write(self, path: Path, content: str, mode: int, group: int = 0) -> None:
        # mkstemp makes the file 0600, so the content is never readable to others on the way.
        handle, temporary = tempfile.mkstemp(dir=self._folder)
        with os.fdopen(handle, "w") as stream:
            stream.write(content)
        os.chown(temporary, 0, group)
        Path(temporary).chmod(mode)
        Path(temporary).rename(path)


def keep(folder: KeyFolder, *, placeholder: bool) -> tuple[bool, dict[str, object], list[dict[str, str]]]:
    """Keep one certificate's key; return whether something changed, the request, and the differences."""
    public_key = folder.public_key()
    before, chain_before = folder.describe_key(public_key), folder.describe_chain()
    changed = folder.ensure_folder()
    if folder.ensure_key(public_key):
        changed = True
        public_key = folder.public_key()
    if placeholder:
        changed |= folder.ensure_placeholder()
    changed |= folder.ensure_chain()
    request = {
        "name": folder.name,
        "hostnames": folder.hostnames,
        "csr": folder.request() if public_key else "",
        "public_key": public_key,
        "certificate": folder.certificate(),
    }
    diff = [
        folder.diff("privkey.pem", before, folder.describe_wish() + (public_key or "a new key\n")),
        folder.diff("fullchain.pem", chain_before, _CHAIN_ATTRIBUTES if chain_before else ""),
    ]
    return changed, request, diff


def retired(directory: Path, names: list[str]) -> dict[str, object]:
    """What certbot would renew by the hook in the directory, without the certificates of these names."""
    hook = directory / "deploy"
    ours, others = [], []
    for settings in sorted(_CERTBOT.glob("renewal/*.conf")):
        calls_hook = re.search(rf"^renew_hook = {re.escape(str(hook))}$", settings.read_text(), re.MULTILINE)
        (ours if calls_hook else others).append(settings.stem)
    # Last what this looks at: when the removal is cut off, the next run sees that something is left.
    paths = [
        _CERTBOT / part
        for name in ours
        if name not in names
        for part in (f"live/{name}", f"archive/{name}", f"renewal/{name}.conf")
    ]
    unused = not names and hook.exists()
    if unused:
        paths += [directory / "acme.ini", hook]
    return {"paths": [str(path) for path in paths], "client": unused and not others}


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "certificates": {"type": "list", "elements": "dict", "required": True},
            "placeholder": {"type": "bool", "default": False},
            "acme_names": {"type": "list", "elements": "str"},
        },
        supports_check_mode=True,
    )
    kept = [
        keep(
            KeyFolder(
                module, certificate["name"], certificate["hostnames"], certificate.get("group", "root")
            ),
            placeholder=module.params["placeholder"],
        )
        for certificate in module.params["certificates"]
    ]
    names = module.params["acme_names"]
    module.exit_json(
        changed=any(changed for changed, _, _ in kept),
        requests=[request for _, request, _ in kept],
        diff=[entry for _, _, diff in kept for entry in diff],
        retired=None if names is None else retired(Path(module.params["directory"]), names),
    )


if __name__ == "__main__":
    main()
