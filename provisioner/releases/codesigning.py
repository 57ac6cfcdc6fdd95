"""Nextcloud's code signatures: JSON that lists the SHA-512 of every file, signed under Nextcloud's own root.

The format, as the vendor's checker reads it (lib/private/IntegrityCheck/Checker.php of 34.0.1): RSA-PSS over
the compact JSON of the hash table, MGF1 with SHA-512, message digest SHA-1, no salt; the certificate is
issued by an intermediate under the root that sovstack pins by its SHA-256 fingerprint. The vendor's checker
trusts whatever root the release carries; this one does not.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa


class SignatureRefusedError(Exception):
    """A code signature does not prove what it should; the text says why, without naming the file."""


@dataclass(frozen=True)
class Authority:
    """The certificates that may issue signing certificates, and the serial numbers they took back.

    Attributes:
        issuers: The pinned root and the intermediates it vouches for.
        revoked: (issuer's name, serial number) of each revoked certificate.
    """

    issuers: tuple[x509.Certificate, ...]
    revoked: frozenset[tuple[x509.Name, int]]


def establish_authority(bundle: bytes, revocations: Sequence[bytes], root_sha256: str) -> Authority:
    """Return who may sign, from the certificates and revocation lists that a release carries.

    Args:
        bundle: Certificates in PEM.
        revocations: Revocation lists in PEM.
        root_sha256: The root's SHA-256 fingerprint in lower-case hexadecimal.

    Raises:
        SignatureRefusedError: The pinned root is not among the certificates, or a list is not signed by one
            of them.
    """
    try:
        certificates = x509.load_pem_x509_certificates(bundle)
        lists = [x509.load_pem_x509_crl(revocation) for revocation in revocations]
    except ValueError as error:
        raise SignatureRefusedError(f"its certificates cannot be read ({error})") from error
    roots = [one for one in certificates if one.fingerprint(hashes.SHA256()).hex() == root_sha256]
    if not roots:
        raise SignatureRefusedError("it does not carry the vendor's root certificate that sovstack knows")
    root = roots[0]
    issuers = (root, *(one for one in certificates if one != root and _may_issue(one, root)))
    revoked = set()
    for revocation in lists:
        signers = [issuer for issuer in issuers if issuer.subject == revocation.issuer]
        if not any(_signed_list(revocation, signer) for signer in signers):
            raise SignatureRefusedError("its revocation list is not signed by the vendor")
        revoked |= {(revocation.issuer, entry.serial_number) for entry in revocation}
    return Authority(issuers, frozenset(revoked))


def read_hashes(document: bytes, authority: Authority, scope: str) -> dict[str, str]:
    """Return path -> SHA-512 (lower-case hexadecimal) from a signature file that proves itself.

    Args:
        document: The content of ``signature.json``.
        authority: Who may sign.
        scope: What the signer must be entitled to: ``core``, or the identifier of an app.

    Raises:
        SignatureRefusedError: The document, its certificate or its signature does not hold.
    """
    try:
        data = json.loads(document)
        table, certificate_pem = data["hashes"], data["certificate"]
        signature = base64.b64decode(data["signature"], validate=True)
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SignatureRefusedError(f"it cannot be read ({error})") from error
    if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
        raise SignatureRefusedError("its hash table is not a table of texts")
    _check_certificate(certificate, authority, scope)
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise SignatureRefusedError("its certificate does not hold an RSA key")
    try:
        key.verify(
            signature,
            _canonical_json(table),
            padding.PSS(mgf=padding.MGF1(hashes.SHA512()), salt_length=0),
            hashes.SHA1(),  # noqa: S303  the vendor's choice
        )
    except InvalidSignature as error:
        raise SignatureRefusedError("its signature does not match its hash table") from error
    return table


def _canonical_json(table: Mapping[str, str]) -> bytes:
    """Return the bytes that were signed: PHP's json_encode, which writes ``/`` as ``\\/``."""
    return json.dumps(table, separators=(",", ":")).replace("/", "\\/").encode()


def _check_certificate(certificate: x509.Certificate, authority: Authority, scope: str) -> None:
    issuers = [issuer for issuer in authority.issuers if _issued(certificate, issuer)]
    if not issuers:
        raise SignatureRefusedError("its certificate was not issued by the vendor")
    if (certificate.issuer, certificate.serial_number) in authority.revoked:
        raise SignatureRefusedError("its certificate was revoked by the vendor")
    for one in (certificate, issuers[0]):
        if not one.not_valid_before_utc <= datetime.now(UTC) <= one.not_valid_after_utc:
            raise SignatureRefusedError(
                f"its certificate is valid from {one.not_valid_before_utc:%Y-%m-%d} "
                f"to {one.not_valid_after_utc:%Y-%m-%d} only"
            )
    names = {
        str(attribute.value)
        for attribute in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    }
    if not names & {scope, "core"}:  # the vendor lets its core certificate sign for every app
        raise SignatureRefusedError(
            f"its certificate is for {', '.join(sorted(names)) or 'nobody'}, not for {scope}"
        )


def _may_issue(certificate: x509.Certificate, root: x509.Certificate) -> bool:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        return False
    return constraints.value.ca and _issued(certificate, root)


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _signed_list(revocation: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    key = issuer.public_key()
    return isinstance(key, rsa.RSAPublicKey) and revocation.is_signature_valid(key)
