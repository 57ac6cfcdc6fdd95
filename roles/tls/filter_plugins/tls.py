"""Judgements about certificates, made on the controller."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes


def _public_bytes(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _dns_names(certificate: x509.Certificate) -> set[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {name.lower() for name in names.get_values_for_type(x509.DNSName)}


def _covers(names: set[str], hostname: str) -> bool:
    """A wildcard stands for exactly one label (RFC 6125, 6.4.3)."""
    hostname = hostname.lower()
    return hostname in names or "*." + hostname.partition(".")[2] in names


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _days_left(certificate: x509.Certificate) -> float:
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    return left / datetime.timedelta(days=1)


def tls_renewal_reason(
    chain: str, hostnames: Sequence[str], days: int, public_key: str = "", ca_certificate: str = ""
) -> str:
    """Why a certificate has to be issued anew; empty when it is good.

    ``chain`` is the PEM on the host, leaf first, and may be empty or damaged. ``public_key`` (PEM) and
    ``ca_certificate`` (PEM) are compared when given; without a CA only a self-signed leaf is refused.
    """
    try:
        leaf = x509.load_pem_x509_certificates(chain.encode())[0]
    except ValueError:
        return "there is no readable certificate"
    if _days_left(leaf) < days:
        return f"it ends on {leaf.not_valid_after_utc:%Y-%m-%d}"
    if _dns_names(leaf) != {name.lower() for name in hostnames}:
        return "its names are others: " + ", ".join(sorted(_dns_names(leaf)))
    if public_key:
        key = serialization.load_pem_public_key(public_key.encode())
        if _public_bytes(leaf.public_key()) != _public_bytes(key):
            return "it belongs to another key"
    if ca_certificate:
        if not _is_issued_by(leaf, x509.load_pem_x509_certificate(ca_certificate.encode())):
            return "it was signed by another authority"
    elif leaf.issuer == leaf.subject:
        return "it is a self-signed placeholder"
    return ""


def tls_provided_problems(chain: str, key: str, hostnames: Sequence[str], days: int) -> list[str]:
    """What is wrong with a provided chain and its key, both PEM, as sentences; never the key itself."""
    try:
        certificates = x509.load_pem_x509_certificates(chain.encode())
    except ValueError:
        return ["the certificate file holds no readable PEM certificate"]
    leaf = certificates[0]
    problems = []
    try:
        private_key = serialization.load_pem_private_key(key.encode(), password=None)
    except TypeError:
        problems.append("the key has a pass phrase, and a web server starts unattended")
    except ValueError:
        problems.append("the key file holds no readable PEM private key")
    else:
        if _public_bytes(private_key.public_key()) != _public_bytes(leaf.public_key()):
            problems.append(
                "the key does not belong to the file's first certificate, which has to be the server's own"
            )
    problems += [
        f"certificate {position} of the file was not issued by the one after it"
        for position, (child, parent) in enumerate(itertools.pairwise(certificates), start=1)
        if not _is_issued_by(child, parent)
    ]
    problems += [
        f"it is not valid for {hostname}, only for {', '.join(sorted(_dns_names(leaf))) or 'no name at all'}"
        for hostname in hostnames
        if not _covers(_dns_names(leaf), hostname)
    ]
    if _days_left(leaf) < days:
        problems.append(f"it ends on {leaf.not_valid_after_utc:%Y-%m-%d}, and has to last {days} days more")
    if leaf.not_valid_before_utc > datetime.datetime.now(datetime.UTC):
        problems.append(f"it only begins on {leaf.not_valid_before_utc:%Y-%m-%d}")
    return problems


def tls_authority_problems(certificate: str, key: str) -> list[str]:
    """What is wrong with the internal authority's certificate and key, as sentences; never the key itself."""
    try:
        authority = x509.load_pem_x509_certificate(certificate.encode())
    except ValueError:
        return ["tls_ca_certificate is not a PEM certificate"]
    try:
        private_key = serialization.load_pem_private_key(key.encode(), password=None)
    except (TypeError, ValueError):
        return ["tls_ca_key is not a PEM private key without a pass phrase"]
    if _public_bytes(private_key.public_key()) != _public_bytes(authority.public_key()):
        return ["tls_ca_key does not belong to tls_ca_certificate"]
    if _days_left(authority) <= 0:
        return [f"tls_ca_certificate ended on {authority.not_valid_after_utc:%Y-%m-%d}"]
    return []


class FilterModule:
    """Named by Ansible."""

    def filters(self) -> dict[str, Any]:
        """Filters by the name under which templates know them."""
        return {
            "tls_authority_problems": tls_authority_problems,
            "tls_provided_problems": tls_provided_problems,
            "tls_renewal_reason": tls_renewal_reason,
        }
