"""The authority signs for the organisation's names, and for nothing else; OpenSSL is the judge."""

from __future__ import annotations

import datetime as dt
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from provisioner.profile import authority

DOMAIN = "zonnedael.example"


@pytest.fixture(scope="module")
def made() -> tuple[str, str]:
    return authority.create("Gemeente Zonnedael", "NL", (DOMAIN, "cloud.elders.example"))


def extension(certificate: str, kind: type[x509.ExtensionType]) -> x509.Extension:
    return x509.load_pem_x509_certificate(certificate.encode()).extensions.get_extension_for_class(kind)


def test_its_extensions(made: tuple[str, str]) -> None:
    _, certificate = made
    constraints = extension(certificate, x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)
    names = extension(certificate, x509.NameConstraints)
    assert names.critical
    assert {name.value for name in names.value.permitted_subtrees} == {DOMAIN, "cloud.elders.example"}
    usage = extension(certificate, x509.KeyUsage)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert not usage.value.digital_signature


def test_its_key_subject_and_life(made: tuple[str, str]) -> None:
    key, certificate = made
    loaded = x509.load_pem_x509_certificate(certificate.encode())
    public = loaded.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert public.curve.name == "secp384r1"
    assert serialization.load_pem_private_key(key.encode(), None).public_key() == public
    assert "O=Gemeente Zonnedael" in loaded.subject.rfc4514_string()
    years = (loaded.not_valid_after_utc - dt.datetime.now(dt.UTC)).days / 365.25
    assert 9.9 < years < 10.1
    assert loaded.not_valid_before_utc < dt.datetime.now(dt.UTC)


def test_a_long_name_fits() -> None:
    _, certificate = authority.create("Ö" * 200, "NL", ("a" * 60 + ".zonnedael.example",))
    assert x509.load_pem_x509_certificate(certificate.encode())


def sign(made: tuple[str, str], hostname: str, folder: Path) -> Path:
    authority_key = serialization.load_pem_private_key(made[0].encode(), None)
    issuer = x509.load_pem_x509_certificate(made[1].encode())
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    leaf = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname)]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(hostname)]), critical=False)
        .sign(authority_key, hashes.SHA384())  # type: ignore[arg-type]
    )
    path = folder / f"{hostname}.pem"
    path.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize(
    ("hostname", "accepted"),
    [
        ("cloud.zonnedael.example", True),
        ("zonnedael.example", True),
        ("cloud.elders.example", True),
        ("elders.example", False),
        ("notzonnedael.example", False),
        ("www.bank.example", False),
    ],
)
def test_openssl_accepts_only_permitted_names(
    made: tuple[str, str], hostname: str, accepted: bool, tmp_path: Path
) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text(made[1])
    leaf = sign(made, hostname, tmp_path)
    command = ["openssl", "verify", "-x509_strict", "-CAfile", ca, leaf]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    # A leaf made by a test lacks the key identifiers that -x509_strict wants; what counts is the subtree.
    assert ("permitted subtree violation" not in done.stderr + done.stdout) is accepted
    assert authority.uncovered_names(made[1], [hostname]) == (() if accepted else (hostname,))


def test_permitted_names_are_the_domain_and_what_lies_outside() -> None:
    names = ["cloud.zonnedael.example", "b.elders.example", "a.elders.example", "zonnedael.example"]
    assert authority.permitted_names(DOMAIN, names) == (DOMAIN, "a.elders.example", "b.elders.example")
