"""Detached OpenPGP signatures, checked by gpgv against one key that is known by its full fingerprint."""

from __future__ import annotations

import base64
import binascii
import shutil
import subprocess
import tempfile
from pathlib import Path

from provisioner.errors import ReleaseNotTrusted, Unavailable

_MAX_KEY = 4 * 1024**2  # bytes
_ARMOUR_BEGIN = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"
_ARMOUR_END = b"-----END PGP PUBLIC KEY BLOCK-----"


def verify(archive: Path, signature: Path, key: Path, fingerprint: str) -> str:
    """Return the fingerprint of the key that signed ``archive``: ``fingerprint`` itself or a subkey of it.

    Args:
        archive: What was signed.
        signature: The detached signature.
        key: A file of public keys, armoured or binary. Keys other than the pinned one count for nothing.
        fingerprint: The primary key's full fingerprint, 40 or 64 hexadecimal digits in upper case.

    Raises:
        ReleaseNotTrusted: The signature is bad, expired, revoked, or by another key.
        Unavailable: gpgv is not installed.
    """
    gpgv = shutil.which("gpgv")
    if gpgv is None:
        raise Unavailable(
            "gpgv is not installed, so the release's OpenPGP signature cannot be checked",
            hint="apt install gpgv",
        )
    with tempfile.TemporaryDirectory(prefix="sovstack-gpgv-") as home:
        ring = Path(home) / "ring.gpg"
        ring.write_bytes(_read_keys(key))
        result = subprocess.run(
            [gpgv, "--homedir", home, "--status-fd", "1", "--keyring", ring, signature, archive],
            capture_output=True,
            check=False,
        )
    return _judge(result.stdout.decode(errors="replace"), result.stderr.decode(errors="replace"), fingerprint)


def _read_keys(path: Path) -> bytes:
    """Return binary key material; gpgv of Debian 12 does not read the armoured form."""
    content = path.read_bytes()
    if len(content) > _MAX_KEY:
        raise ReleaseNotTrusted(f"{path} is too large to be a file of OpenPGP keys")
    if _ARMOUR_BEGIN not in content:
        return content
    block = content.split(_ARMOUR_BEGIN, 1)[1].split(_ARMOUR_END, 1)[0]
    # Headers end at the first empty line; the line that begins with = is a checksum, not data.
    _, _, body = block.replace(b"\r\n", b"\n").partition(b"\n\n")
    lines = [line for line in body.split() if not line.startswith(b"=")]
    try:
        return base64.b64decode(b"".join(lines), validate=True)
    except binascii.Error as error:
        raise ReleaseNotTrusted(f"{path} is not a file of OpenPGP keys", details=str(error)) from error


def _judge(status: str, complaint: str, fingerprint: str) -> str:
    """Read gpgv's status lines (doc/DETAILS of GnuPG); its exit code would accept any key in the ring."""
    lines = [line.split()[1:] for line in status.splitlines() if line.startswith("[GNUPG:] ")]
    words = {line[0] for line in lines if line}
    valid = [line for line in lines if line and line[0] == "VALIDSIG"]
    if "BADSIG" in words:
        raise ReleaseNotTrusted("its OpenPGP signature is not of this file", details=complaint)
    for word, why in (("EXPKEYSIG", "has expired"), ("REVKEYSIG", "was revoked"), ("EXPSIG", "ran out")):
        if word in words:
            subject = "signature" if word == "EXPSIG" else "key of its signature"
            raise ReleaseNotTrusted(f"the {subject} {why}", details=complaint)
    if "GOODSIG" not in words or len(valid) != 1:
        raise ReleaseNotTrusted("its OpenPGP signature is not by the vendor's key", details=complaint)
    # VALIDSIG: the signing key's fingerprint first, the primary key's last.
    signer, primary = valid[0][1], valid[0][-1]
    if primary != fingerprint:
        raise ReleaseNotTrusted(
            f"its OpenPGP signature is by {primary}, not by the vendor's key {fingerprint}"
        )
    return signer
