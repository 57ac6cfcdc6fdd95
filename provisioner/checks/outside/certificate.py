"""The certificate chain as a client sees it: trusted, for this name, long enough valid, strong keys."""

from __future__ import annotations

import re
import socket
import ssl
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from provisioner.checks.outside.handshake import ANY_SUITE, offer
from provisioner.checks.outside.http import SECONDS, trust
from provisioner.checks.outside.promise import Finding, NoEvidence, Promise
from provisioner.checks.outside.target import WebTarget
from provisioner.checks.result import Verdict

LEAST_DAYS = 21
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_SUFFICIENT_RSA_BITS = 3072
_PHASE_OUT_RSA_BITS = 2048
_CURVES = ("secp256r1", "secp384r1", "secp521r1", "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1")
_HASHES = ("sha256", "sha384", "sha512")


def check_certificate(target: WebTarget) -> Finding:
    """Trust and name by Python's ``ssl`` (RFC 5280, RFC 6125), keys and hashes by NCSC 3.3.2 and 3.3.5."""
    # A client of today would not even look at a weak key, so everything is offered.
    handshake = offer(target, "-showcerts", *ANY_SUITE)
    chain = [
        x509.load_pem_x509_certificate(pem.encode())
        for pem in _PEM.findall(handshake.text if handshake else "")
    ]
    if not chain:
        raise NoEvidence(f"{target.hostname} sends no certificate")
    chain = list(dict.fromkeys(chain))  # s_client prints the leaf twice
    faults = [fault for fault in (_distrust(target),) if fault]
    warnings: list[str] = []
    for certificate in chain:
        _judge_strength(certificate, faults, warnings)
    days = (chain[0].not_valid_after_utc - datetime.now(UTC)).days
    if days < LEAST_DAYS:
        warnings.append(f"valid for {days} more days")
    issuer = chain[0].issuer.rfc4514_string()
    seen = f"from {issuer}, {_describe_key(chain[0])}, {days} days left, {len(chain)} certificates sent"
    if faults:
        return Finding(Verdict.FAIL, "; ".join(faults + warnings), seen)
    if warnings:
        return Finding(Verdict.WARN, "; ".join(warnings), seen)
    return Finding(Verdict.PASS, seen)


def _distrust(target: WebTarget) -> str | None:
    """Return why a client refuses the chain or the name, in OpenSSL's words."""
    try:
        with (
            socket.create_connection((target.address, target.port), SECONDS) as plain,
            trust(target).wrap_socket(plain, server_hostname=target.hostname),
        ):
            return None
    except ssl.SSLCertVerificationError as error:
        return f"not trusted: {error.verify_message}"


def _judge_strength(certificate: x509.Certificate, faults: list[str], warnings: list[str]) -> None:
    if certificate.issuer == certificate.subject and _is_authority(certificate):
        return  # a root that is sent along: clients have it or not, its signature proves nothing
    name = certificate.subject.rfc4514_string() or "the leaf"
    key = certificate.public_key()
    strong = (
        isinstance(key, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey))
        or (isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES)
        or (isinstance(key, rsa.RSAPublicKey) and key.key_size >= _SUFFICIENT_RSA_BITS)
    )
    if not strong:
        phase_out = isinstance(key, rsa.RSAPublicKey) and key.key_size >= _PHASE_OUT_RSA_BITS
        (warnings if phase_out else faults).append(f"{name}: {_describe_key(certificate)}")
    # Ed25519 and Ed448 have no separate hash.
    digest = certificate.signature_hash_algorithm
    if digest is not None and digest.name not in _HASHES:
        (warnings if digest.name == "sha224" else faults).append(f"{name}: signed with {digest.name}")


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _describe_key(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.curve.name
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    return type(key).__name__.strip("_").removesuffix("PublicKey")


CERTIFICATE_PROMISES: tuple[Promise[WebTarget], ...] = (
    Promise(
        "TLS-CERT",
        "The certificate is trusted, for this name, and strong",
        f"Chain and name verify; at least {LEAST_DAYS} days left; EC or RSA >= 3072; SHA-2 (NCSC 3.3.2)",
        "Renew it, send the intermediates along, and look at the issuer in the profile's tls section.",
        check_certificate,
    ),
)
