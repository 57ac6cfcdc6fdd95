"""A stand-in for a software vendor: it signs releases of a toy Nextcloud the way the real vendor signs the real one.

Keys and certificates are made anew for every test run and trusted by nothing but the test that made them.
"""

from __future__ import annotations

import atexit
import base64
import bz2
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from provisioner.releases.catalogue import CodeSigning, Digest, Release, SigningKey
from provisioner.releases.catalogue import Vendor as Maker
from provisioner.releases.versions import VersionRange

_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


def make_release(**changes: object) -> Release:
    """Return a release of the toy application; ``changes`` are fields that shall differ."""
    release = Release(
        application="nextcloud",
        product="Nextcloud Server",
        version="34.0.1",
        edition="community",
        licence="AGPL-3.0-or-later",
        vendor=Maker("Nextcloud GmbH", "DE"),
        url="https://vendor.invalid/nextcloud-34.0.1.tar.bz2",
        signature_url="https://vendor.invalid/nextcloud-34.0.1.tar.bz2.asc",
        signing_key=SigningKey("0" * 40, "https://vendor.invalid/nextcloud.asc"),
        code_signing=None,
        digest=None,
        needs={"php": VersionRange("8.2", "8.6"), "postgresql": VersionRange("14", "19")},
        upgrades_from=frozenset({33}),
        end_of_life=None,
    )
    return replace(release, **changes)  # type: ignore[arg-type]


def make_tree(version: str = "34.0.1") -> dict[str, bytes]:
    """Return path -> content of an unsigned toy release, without its certificates."""
    return {
        "version.php": (
            f"<?php\n$OC_VersionString = '{version}';\n$OC_Channel = 'stable';\n$OC_Edition = '';\n"
            "$vendor = 'nextcloud';\n"
        ).encode(),
        ".htaccess": b"above\n#### DO NOT CHANGE ANYTHING ABOVE THIS LINE ####\nbelow\n",
        "occ": b"<?php // the command\n",
        "index.php": b"<?php // the page\n",
        "core/js/main.js": b"// main\n",
        "core/fonts/big.ttf": b"a large font",
        "config/config.sample.php": b"<?php // explained\n",
        "config/CAN_INSTALL": b"",
        "themes/README": b"put themes here\n",
        "themes/example/defaults.php": b"<?php // an example\n",
        "apps/files/appinfo/info.xml": b"<info/>",
        "apps/files/lib/Files.php": b"<?php // files of Gr\xc3\xb6\xc3\x9fe\n",
        "apps/files/l10n/\u00e9.js": b"// a name that is not ASCII\n",
        "apps/dav/appinfo/info.xml": b"<info/>",
    }


@dataclass
class Certified:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def issue(
    name: str,
    issuer: Certified | None,
    *,
    authority: bool,
    days: int = 7300,
    serial: int | None = None,
) -> Certified:
    """Make a certificate, by itself where ``issuer`` is None."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(_EPOCH)
        .not_valid_after(_EPOCH + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=False)
        .sign(issuer.key if issuer else key, hashes.SHA256())
    )
    return Certified(certificate, key)


@dataclass
class Vendor:
    """A vendor with its own root, an intermediate and the certificate that signs its releases."""

    revoked: list[int] = field(default_factory=list)

    @cached_property
    def root(self) -> Certified:
        return issue("Root Authority", None, authority=True)

    @cached_property
    def intermediate(self) -> Certified:
        return issue("Code Signing Intermediate Authority", self.root, authority=True)

    @cached_property
    def core(self) -> Certified:
        return issue("core", self.intermediate, authority=False, serial=4096)

    @property
    def code_signing(self) -> CodeSigning:
        return CodeSigning(self.root.certificate.fingerprint(hashes.SHA256()).hex())

    def revocations(self) -> bytes:
        """Return the list of certificates taken back, in PEM."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.intermediate.certificate.subject)
            .last_update(_EPOCH)
            .next_update(_EPOCH + timedelta(days=7300))
        )
        for serial in self.revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(_EPOCH).build()
            builder = builder.add_revoked_certificate(entry)
        revocations = builder.sign(self.intermediate.key, hashes.SHA256())
        return revocations.public_bytes(serialization.Encoding.PEM)

    def sign(self, table: Mapping[str, str], signer: Certified | None = None) -> bytes:
        """Return a ``signature.json`` for path -> SHA-512."""
        signer = signer or self.core
        table = dict(sorted(table.items()))
        text = json.dumps(table, separators=(",", ":")).replace("/", "\\/").encode()
        signature = signer.key.sign(
            text,
            padding.PSS(mgf=padding.MGF1(hashes.SHA512()), salt_length=0),
            hashes.SHA1(),  # noqa: S303  the vendor's choice
        )
        document = {
            "hashes": table,
            "signature": base64.b64encode(signature).decode(),
            "certificate": signer.pem.decode(),
        }
        return json.dumps(document, indent=4).encode()

    def sign_tree(self, tree: Mapping[str, bytes]) -> dict[str, bytes]:
        """Return the tree with certificates and with signatures of its core and of each app."""
        signed = dict(tree)
        signed["resources/codesigning/root.crt"] = self.intermediate.pem + self.root.pem
        signed["resources/codesigning/root.crl"] = self.revocations()
        apps = {path.split("/")[1] for path in tree if path.startswith("apps/")}
        for app in apps:
            prefix = f"apps/{app}/"
            table = {
                path.removeprefix(prefix): _sha512(data)
                for path, data in tree.items()
                if path.startswith(prefix)
            }
            signed[f"{prefix}appinfo/signature.json"] = self.sign(table)
        core = {
            path: _sha512(data.split(b"####")[0] if path == ".htaccess" else data)
            for path, data in signed.items()
            if path.split("/")[0] not in ("apps", "config", "themes")
        }
        signed["core/signature.json"] = self.sign(core)
        return signed


def _sha512(data: bytes) -> str:
    return hashlib.sha512(data).hexdigest()


def pack(
    tree: Mapping[str, bytes],
    path: Path,
    *,
    root: str = "nextcloud",
    executable: frozenset[str] = frozenset(),
) -> Path:
    """Write ``tree`` as an archive with bzip2 and return its path."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, data in sorted(tree.items()):
            entry = tarfile.TarInfo(f"{root}/{name}")
            entry.size = len(data)
            entry.mode = 0o755 if name in executable else 0o644
            archive.addfile(entry, io.BytesIO(data))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bz2.compress(content.getvalue(), 1))
    return path


def digest_of(path: Path) -> Digest:
    """Return the digest of a file, as a public source would confirm it."""
    return Digest(hashlib.sha256(path.read_bytes()).hexdigest(), "test")


class Signer:
    """An OpenPGP identity in a folder of its own: a primary key that certifies, and a subkey that signs."""

    def __init__(
        self,
        home: Path,
        name: str = "vendor@example.org",
        *,
        subkey: bool = True,
        clock: str | None = None,
        validity: str = "never",
    ) -> None:
        """Make the keys, at the time ``clock`` (such as 20200101T000000) where one is given."""
        home.mkdir(mode=0o700, parents=True)
        self._home = home
        # gpg starts it, and nobody else ends it as long as the folder is there.
        atexit.register(
            subprocess.run, ["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"], check=False
        )
        self._clock = ["--faked-system-time", f"{clock}!"] if clock else []
        usage = "cert" if subkey else "sign"
        self._gpg("--quick-generate-key", name, "ed25519", usage, validity)
        self.fingerprint = self._fingerprints()[0]
        if subkey:
            self._gpg("--quick-add-key", self.fingerprint, "ed25519", "sign", validity)

    def _gpg(self, *arguments: str) -> bytes:
        command = [
            "gpg",
            "--homedir",
            str(self._home),
            "--batch",
            "--quiet",
            "--passphrase",
            "",
            "--pinentry-mode",
            "loopback",
        ]
        return subprocess.run([*command, *self._clock, *arguments], check=True, capture_output=True).stdout

    def _fingerprints(self) -> list[str]:
        listing = self._gpg("--with-colons", "--list-keys").decode()
        return [line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:")]

    @property
    def subkey_fingerprint(self) -> str:
        return self._fingerprints()[1]

    def sign(self, path: Path) -> Path:
        """Write a detached, armoured signature beside ``path``."""
        signature = path.with_name(f"{path.name}.asc")
        signature.unlink(missing_ok=True)
        self._gpg("--armor", "--output", str(signature), "--detach-sign", str(path))
        return signature

    def export(self, path: Path, *, armoured: bool = True) -> Path:
        """Write the public key."""
        path.write_bytes(self._gpg(*(["--armor"] if armoured else []), "--export"))
        return path
