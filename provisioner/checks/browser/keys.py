"""The public key of a service's certificate, after the certificate was verified.

Chromium trusts a certificate by the digest of its key (``--ignore-certificate-errors-spki-list``) without asking who
issued it. So chain, name and dates are verified here, against the authority that the deployment's certificates must
come from, and only the key of a certificate that holds is handed on.
"""

from __future__ import annotations

import base64
import hashlib
import socket

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from provisioner.checks.outside.http import SECONDS, trust
from provisioner.checks.outside.promise import NoEvidence
from provisioner.checks.outside.target import WebTarget


def pin(target: WebTarget) -> str:
    """Return the SHA-256 of the key's SubjectPublicKeyInfo, in base64.

    Raises:
        NoEvidence: Nothing answers, or its certificate does not verify.
    """
    try:
        with (
            socket.create_connection((target.address, target.port), SECONDS) as plain,
            trust(target).wrap_socket(plain, server_hostname=target.hostname) as secure,
        ):
            certificate = x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"")
    except (OSError, ValueError) as error:
        raise NoEvidence(f"TLS with {target.hostname} at {target.address}:{target.port}: {error}") from error
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(key).digest()).decode()
