"""Judgements about certificates, made on the controller. Problems come as sentences and never quote a key."""

from __future__ import annotations

import datetime
import itertools
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

# Longer ones are refused by browsers when they come from a public authority (CA/Browser Forum: 398 days).
_VALIDITY_MAX_DAYS = 397


def tls_renewal_reason(
    chain: str, hostnames: Sequence[str], days: int, public_key: str = "", ca_certificate: str = ""
) -> str:
    """Why a certificate has to be issued anew; empty when it is good.

    ``chain`` is the PEM on the host, leaf first; it may be empty or damaged. ``days`` is the least that it has to last.
    ``public_key`` and ``ca_certificate``, both PEM, are compared when given; without an authority only a self-signed
    leaf is refused.
    """
    try:
        leaf = x509.load_pem_x509_certificates(chain.encode())[0]
    except ValueError:
        return "there is no readable certificate"
    if _days_left(leaf) < days:
        return f"it ends on {leaf.not_valid_after_utc:%Y-%m-%d}"
    if _dns_names(leaf) != {name.lower() for name in hostnames}:
        return "its names are others: " + ", ".join(sorted(_dns_names(leaf)))
    if public_key and _public_bytes(leaf.public_key()) != _public_bytes(
        serialization.load_pem_public_key(public_key.encode())
    ):
        return "it belongs to another key"
    if ca_certificate:
        if not _is_issued_by(leaf, x509.load_pem_x509_certificate(ca_certificate.encode())):
            return "it was signed by another authority"
        if chain != leaf.public_bytes(serialization.Encoding.PEM).decode():
            return "there is more in the file than what was issued"
    elif leaf.issuer == leaf.subject:
        return "it is a self-signed placeholder"
    return ""


def tls_acme_reason(settings: str, server: str, authenticator: str, webroot: str) -> str:
    """Why certbot has to ask anew for a certificate that is good: it would renew it in another way; empty when not.

    ``settings`` is certbot's own file about the certificate (``/etc/letsencrypt/renewal/NAME.conf``), which it reads
    when it renews and writes only when it gets a certificate. The others are what the file has to say now.
    """
    found = dict(re.findall(r"^(\w+) = (.*?),?$", settings, re.MULTILINE))
    if "server" not in found:
        return "certbot does not know it"
    if found["server"] != server:
        return f"it would be renewed by {found['server']}"
    if found.get("authenticator") != authenticator:
        return f"its renewal would be answered by {found.get('authenticator')}"
    if authenticator == "webroot" and found.get("webroot_path") != webroot:
        return f"its renewal would be answered from {found.get('webroot_path')}"
    return ""


def tls_authority_problems(certificate: str, key: str, validity_days: int, renewal_days: int) -> list[str]:
    """What hinders the internal authority, given as PEM certificate and key, from issuing."""
    problems = []
    if not renewal_days < validity_days <= _VALIDITY_MAX_DAYS:
        problems.append(
            f"tls_validity_days is {validity_days} and tls_renewal_days {renewal_days}; a certificate lasts"
            f" {_VALIDITY_MAX_DAYS} days at most, and is renewed before it ends."
        )
    try:
        authority = x509.load_pem_x509_certificate(certificate.encode())
    except ValueError:
        return [*problems, "tls_ca_certificate is not a PEM certificate."]
    private_key = _private_key(key)
    if isinstance(private_key, str):
        return [*problems, f"tls_ca_key {private_key}."]
    if _public_bytes(private_key.public_key()) != _public_bytes(authority.public_key()):
        problems.append("tls_ca_key does not belong to tls_ca_certificate.")
    if _days_left(authority) <= 0:
        problems.append(f"tls_ca_certificate ended on {authority.not_valid_after_utc:%Y-%m-%d}.")
    return problems


def tls_acme_problems(directory_url: str, contact: str, eab_key_id: str, eab_hmac_key: str) -> list[str]:
    """What is missing to speak with an ACME server."""
    problems = []
    if not directory_url.startswith("https://"):
        problems.append(f"tls_acme_directory_url has to be an https:// address; it is '{directory_url}'.")
    if "@" not in contact:
        problems.append(f"tls_acme_contact has to be a mail address; it is '{contact}'.")
    if bool(eab_key_id) != bool(eab_hmac_key):
        problems.append(
            "tls_acme_eab_key_id and tls_acme_eab_hmac_key belong together; one of them is missing."
        )
    return problems


def tls_provided_problems(certificate_path: str, key_path: str, hostnames: Sequence[str]) -> list[str]:
    """What is wrong with the files of a provided chain and its key, both PEM on the controller."""
    try:
        chain, key = Path(certificate_path).read_bytes(), Path(key_path).read_text(encoding="ascii")
    except OSError as error:
        return [f"{error.filename} cannot be read: {error.strerror}."]
    except UnicodeDecodeError:
        return [f"{key_path} holds no readable PEM private key."]
    try:
        certificates = x509.load_pem_x509_certificates(chain)
    except ValueError:
        return [f"{certificate_path} holds no readable PEM certificate."]
    return [
        f"{certificate_path}: {problem}."
        for problem in (
            *_key_problems(certificates[0], key, key_path),
            *_chain_problems(certificates),
            *_name_problems(certificates[0], hostnames),
            *_time_problems(certificates[0]),
        )
    ]


def _key_problems(leaf: x509.Certificate, key: str, key_path: str) -> list[str]:
    private_key = _private_key(key)
    if isinstance(private_key, str):
        return [f"its key {key_path} {private_key}"]
    if _public_bytes(private_key.public_key()) != _public_bytes(leaf.public_key()):
        return [f"{key_path} does not belong to its first certificate, which has to be the server's own"]
    return []


def _chain_problems(certificates: Sequence[x509.Certificate]) -> list[str]:
    return [
        f"certificate {position} was not issued by the one after it"
        for position, (child, parent) in enumerate(itertools.pairwise(certificates), start=1)
        if not _is_issued_by(child, parent)
    ]


def _name_problems(leaf: x509.Certificate, hostnames: Sequence[str]) -> list[str]:
    names = _dns_names(leaf)
    return [
        f"it is not valid for {hostname}, only for {', '.join(sorted(names)) or 'no name at all'}"
        for hostname in hostnames
        # A wildcard stands for exactly one label (RFC 6125, 6.4.3).
        if not {hostname.lower(), "*." + hostname.lower().partition(".")[2]} & names
    ]


def _time_problems(leaf: x509.Certificate) -> list[str]:
    if _days_left(leaf) < 1:
        return [f"it ends on {leaf.not_valid_after_utc:%Y-%m-%d}"]
    if leaf.not_valid_before_utc > datetime.datetime.now(datetime.UTC):
        return [f"it only begins on {leaf.not_valid_before_utc:%Y-%m-%d}"]
    return []


def _private_key(pem: str) -> PrivateKeyTypes | str:
    """The key, or what is wrong with it."""
    try:
        return serialization.load_pem_private_key(pem.encode(), password=None)
    except TypeError:
        return "has a pass phrase, and nobody is there to type it"
    except (ValueError, UnsupportedAlgorithm):
        return "is no readable PEM private key"


def _public_bytes(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _dns_names(certificate: x509.Certificate) -> set[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {name.lower() for name in names.get_values_for_type(x509.DNSName)}


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _days_left(certificate: x509.Certificate) -> float:
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    return left / datetime.timedelta(days=1)


class FilterModule:
    """Named by Ansible."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Filters by the name under which templates know them."""
        return {
            "tls_acme_reason": tls_acme_reason,
            "tls_acme_problems": tls_acme_problems,
            "tls_authority_problems": tls_authority_problems,
            "tls_provided_problems": tls_provided_problems,
            "tls_renewal_reason": tls_renewal_reason,
        }
