"""A certificate that the organisation brings: whether it is one, for these names, for now, and with its key.

Imported only for ``tls.issuer: provided``, because reading certificates costs more than the rest of ``validate``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from provisioner.profile.finding import Finding
from provisioner.profile.problem import Severity, ValuePath

_CERTIFICATE: ValuePath = ("tls", "provided", "certificate_file")
_KEY: ValuePath = ("tls", "provided", "key_file")
_ISSUER: ValuePath = ("tls", "issuer")
#: Fewer days than this are said, so that there is time to get another one.
WARNING_DAYS = 21


def check(certificate: bytes, key: bytes, hostnames: Sequence[str], now: dt.datetime) -> Iterator[Finding]:
    """Return what is wrong with a provided certificate.

    Args:
        certificate: PEM, the server's own certificate first.
        key: PEM, without a pass phrase.
        hostnames: What the certificate has to cover.
        now: With its time zone.
    """
    try:
        leaf = x509.load_pem_x509_certificates(certificate)[0]
    except ValueError:
        yield _finding(
            _CERTIFICATE, "is not a certificate in PEM form", "It begins with -----BEGIN CERTIFICATE-----."
        )
        return
    yield from _check_validity(leaf, now)
    covered = _names_of(leaf)
    for hostname in hostnames:
        if hostname not in covered and f"*.{hostname.partition('.')[2]}" not in covered:
            names = ", ".join(sorted(covered)) or "no name"
            yield _finding(
                _CERTIFICATE,
                f"does not cover {hostname}; it is for {names}",
                "Get one for every service's host name.",
                because=(("services",), ("services", "files", "hostname")),
            )
    yield from _check_key(leaf, key)


def _check_validity(leaf: x509.Certificate, now: dt.datetime) -> Iterator[Finding]:
    if now > leaf.not_valid_after_utc:
        yield _finding(_CERTIFICATE, f"ended at {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC")
    elif now < leaf.not_valid_before_utc:
        yield _finding(_CERTIFICATE, f"begins only at {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC")
    elif (days := (leaf.not_valid_after_utc - now).days) < WARNING_DAYS:
        yield _finding(_CERTIFICATE, f"ends in {days} days", "Get the next one.", severity=Severity.WARNING)


def _check_key(leaf: x509.Certificate, key: bytes) -> Iterator[Finding]:
    try:
        private = serialization.load_pem_private_key(key, password=None)
        form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        fits = private.public_key().public_bytes(*form) == leaf.public_key().public_bytes(*form)
    except TypeError:
        yield _finding(
            _KEY, "is protected by a pass phrase, which nobody could type", "Store it without one."
        )
    except (ValueError, UnsupportedAlgorithm):
        yield _finding(
            _KEY, "is not a private key in PEM form", "It begins with -----BEGIN PRIVATE KEY-----."
        )
    else:
        if not fits:
            yield _finding(_KEY, "does not belong to the certificate", because=(_CERTIFICATE,))


def _names_of(leaf: x509.Certificate) -> frozenset[str]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return frozenset()
    return frozenset(name.lower() for name in names.get_values_for_type(x509.DNSName))


def _finding(
    path: ValuePath,
    message: str,
    hint: str = "",
    *,
    severity: Severity = Severity.ERROR,
    because: tuple[ValuePath, ...] = (),
) -> Finding:
    return Finding(path, message, hint, severity, (_ISSUER, *because))
