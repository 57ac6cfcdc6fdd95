"""The deployment's own certificate authority, for ``tls.issuer: internal``.

It may sign for the organisation's names only (critical name constraints, RFC 5280 §4.2.1.10) and has no
authority below it (path length 0), so a stolen key cannot speak for any other site on machines that trust it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LIFETIME = dt.timedelta(days=3653)


def permitted_names(domain: str, hostnames: Iterable[str]) -> tuple[str, ...]:
    """Return the DNS names an authority must be allowed: the domain, and host names that are not under it."""
    outside = {name for name in hostnames if name != domain and not name.endswith(f".{domain}")}
    return (domain, *sorted(outside))


def create(organisation: str, country: str, names: Sequence[str]) -> tuple[str, str]:
    """Make an authority.

    Args:
        organisation: Its name, in the subject.
        country: ISO 3166-1 alpha-2, in the subject.
        names: DNS names that it may sign for, with everything under them.

    Returns:
        Private key (PKCS#8, P-384) and self-signed certificate, both PEM.
    """
    key = ec.generate_private_key(ec.SECP384R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, country),
            # X.520 allows 64 characters in these two.
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation[:64]),
            x509.NameAttribute(NameOID.COMMON_NAME, f"sovstack authority for {names[0]}"[:64]),
        ]
    )
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))  # a host's clock may be a little slow
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=False,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=True,
                crl_sign=True,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(
            x509.NameConstraints(
                permitted_subtrees=[x509.DNSName(name) for name in names], excluded_subtrees=None
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA384())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


def uncovered_names(certificate: str, hostnames: Iterable[str]) -> tuple[str, ...]:
    """Return the host names that an authority's name constraints do not permit."""
    constraints = x509.load_pem_x509_certificate(certificate.encode()).extensions.get_extension_for_class(
        x509.NameConstraints
    )
    permitted = [
        name.value for name in constraints.value.permitted_subtrees or () if isinstance(name, x509.DNSName)
    ]
    return tuple(
        name for name in hostnames if not any(name == base or name.endswith(f".{base}") for base in permitted)
    )
