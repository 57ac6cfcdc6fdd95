"""A provided certificate: for these names, for now, and with its key."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from provisioner.profile import certificate
from provisioner.profile.load import read_content
from provisioner.profile.problem import InvalidProfile

BASE = (Path(__file__).parents[2] / "cases/profile_base.yml").read_text()
NOW = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
NAMES = ["cloud.zonnedael.example"]
KEY = ec.generate_private_key(ec.SECP256R1())


def make_certificate(*names: str, start: int = -1, end: int = 90, now: dt.datetime = NOW) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEY.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=start))
        .not_valid_after(now + dt.timedelta(days=end))
    )
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def make_key(key: ec.EllipticCurvePrivateKey = KEY, password: bytes | None = None) -> bytes:
    protection = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)


def told(chain: bytes, key: bytes, names: list[str] = NAMES) -> list[str]:
    return [f"{found.path[-1]} {found.message}" for found in certificate.check(chain, key, names, NOW)]


@pytest.mark.parametrize(
    "name", ["cloud.zonnedael.example", "*.zonnedael.example", "CLOUD.zonnedael.example"]
)
def test_a_good_one(name: str) -> None:
    other = make_certificate("other.example")
    assert told(make_certificate(name) + other, make_key()) == []


@pytest.mark.parametrize(
    "names", [(), ("zonnedael.example",), ("*.example",), ("*.cloud.zonnedael.example",)]
)
def test_other_names(names: tuple[str, ...]) -> None:
    (message,) = told(make_certificate(*names), make_key())
    assert "does not cover cloud.zonnedael.example" in message


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [(-90, -1, "ended at 2026-11-23"), (1, 90, "begins only at"), (-1, 5, "ends in 5 days")],
)
def test_its_time(start: int, end: int, message: str) -> None:
    (found,) = told(make_certificate(*NAMES, start=start, end=end), make_key())
    assert message in found


@pytest.mark.parametrize(
    "chain", [b"", b"junk", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_no_certificate(chain: bytes) -> None:
    assert told(chain, make_key()) == ["certificate_file is not a certificate in PEM form"]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (b"junk", "is not a private key"),
        (make_key(password=b"x"), "pass phrase"),
        (make_key(ec.generate_private_key(ec.SECP256R1())), "does not belong"),
        (make_certificate(*NAMES), "is not a private key"),
    ],
)
def test_its_key(key: bytes, message: str) -> None:
    (found,) = told(make_certificate(*NAMES), key)
    assert message in found


def test_validate_says_it_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "chain.pem").write_bytes(make_certificate("other.example", now=dt.datetime.now(dt.UTC)))
    (tmp_path / "key.pem").write_bytes(make_key())
    tls = "tls:\n  issuer: provided\n  provided:\n    certificate_file: chain.pem\n    key_file: key.pem\n"
    with pytest.raises(InvalidProfile) as caught:
        read_content("profile.yml", (BASE + tls).encode(), tmp_path)
    (problem,) = caught.value.problems
    assert (problem.line, problem.path) == (25, "tls.provided.certificate_file")
    assert problem.message == "does not cover cloud.zonnedael.example; it is for other.example"
