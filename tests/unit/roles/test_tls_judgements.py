"""The tls role's judgements about certificates (roles/tls/filter_plugins/tls.py)."""

from __future__ import annotations

import datetime
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAME = "cloud.zonnedael.example"


@pytest.fixture(scope="module")
def tls() -> ModuleType:
    path = Path(__file__).parents[3] / "roles/tls/filter_plugins/tls.py"
    spec = importlib.util.spec_from_file_location("tls_judgements", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Party:
    """Somebody with a key and a certificate, signed by `issuer` or by themselves."""

    def __init__(
        self,
        name: str,
        issuer: Party | None = None,
        names: tuple[str, ...] = (),
        begins: int = -1,
        days: int = 100,
    ) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = issuer or self
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.subject)
            .issuer_name(signer.subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=begins))
            .not_valid_after(now + datetime.timedelta(days=days, minutes=1))
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName(map(x509.DNSName, names)), critical=False
            )
        self.certificate = builder.sign(signer.key, hashes.SHA256())

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def public_pem(self) -> str:
        encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_key().public_bytes(encoding, form).decode()

    def key_pem(self, password: bytes = b"") -> str:
        encryption = (
            serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        )
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()


AUTHORITY = Party("authority", days=1000)
OTHER = Party("other", days=1000)
LEAF = Party(NAME, AUTHORITY, (NAME,))


def test_good_certificate_is_left_alone(tls: ModuleType) -> None:
    assert tls.tls_renewal_reason(LEAF.pem, [NAME.upper()], 30, LEAF.public_pem, AUTHORITY.pem) == ""


@pytest.mark.parametrize(
    ("chain", "hostnames", "days", "key", "authority", "reason"),
    [
        ("", [NAME], 30, "", "", "no readable certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", [NAME], 30, "", "", "no readable"),
        (LEAF.pem, [NAME], 101, "", AUTHORITY.pem, "it ends on"),
        (LEAF.pem, [NAME, "chat.zonnedael.example"], 30, "", AUTHORITY.pem, "its names are others"),
        (LEAF.pem, [NAME], 30, OTHER.public_pem, AUTHORITY.pem, "another key"),
        (LEAF.pem, [NAME], 30, LEAF.public_pem, OTHER.pem, "another authority"),
        (Party(NAME, names=(NAME,)).pem, [NAME], 0, "", "", "placeholder"),
    ],
)
def test_reason_to_renew(
    tls: ModuleType, chain: str, hostnames: list[str], days: int, key: str, authority: str, reason: str
) -> None:
    assert reason in tls.tls_renewal_reason(chain, hostnames, days, key, authority)


def test_usable_authority_has_no_problems(tls: ModuleType) -> None:
    assert tls.tls_authority_problems(AUTHORITY.pem, AUTHORITY.key_pem(), 397, 30) == []


@pytest.mark.parametrize(
    ("certificate", "key", "validity", "problem"),
    [
        ("", AUTHORITY.key_pem(), 397, "not a PEM certificate"),
        (AUTHORITY.pem, "", 397, "no readable PEM private key"),
        (AUTHORITY.pem, AUTHORITY.key_pem(b"secret"), 397, "pass phrase"),
        (AUTHORITY.pem, OTHER.key_pem(), 397, "does not belong"),
        (Party("old", days=-1, begins=-9).pem, OTHER.key_pem(), 397, "ended on"),
        (AUTHORITY.pem, AUTHORITY.key_pem(), 398, "397 days at most"),
        (AUTHORITY.pem, AUTHORITY.key_pem(), 30, "renewed before it ends"),
    ],
)
def test_unusable_authority_is_named(
    tls: ModuleType, certificate: str, key: str, validity: int, problem: str
) -> None:
    problems = tls.tls_authority_problems(certificate, key, validity, 30)
    assert any(problem in found for found in problems)
    assert "PRIVATE KEY" not in "".join(problems)


@pytest.fixture
def provided(tmp_path: Path, tls: ModuleType):
    def judge(chain: str, key: str, hostnames: tuple[str, ...] = (NAME,)) -> str:
        (tmp_path / "chain.pem").write_text(chain)
        (tmp_path / "key.pem").write_text(key)
        return "\n".join(
            tls.tls_provided_problems(str(tmp_path / "chain.pem"), str(tmp_path / "key.pem"), hostnames)
        )

    return judge


def test_provided_files_that_fit(provided) -> None:
    assert provided(LEAF.pem + AUTHORITY.pem, LEAF.key_pem()) == ""
    wildcard = Party("wild", AUTHORITY, ("*.zonnedael.example",))
    assert provided(wildcard.pem, wildcard.key_pem()) == ""


@pytest.mark.parametrize(
    ("chain", "key", "problem"),
    [
        ("", LEAF.key_pem(), "no readable PEM certificate"),
        (LEAF.pem, "no key", "no readable PEM private key"),
        (LEAF.pem, "geen sleutel: €", "no readable PEM private key"),
        (LEAF.pem, LEAF.key_pem(b"secret"), "pass phrase"),
        (LEAF.pem, OTHER.key_pem(), "does not belong to its first certificate"),
        (AUTHORITY.pem + LEAF.pem, LEAF.key_pem(), "does not belong to its first certificate"),
        (LEAF.pem + OTHER.pem, LEAF.key_pem(), "certificate 1 was not issued by the one after it"),
        (
            Party(NAME, AUTHORITY, ("chat.zonnedael.example",)).pem,
            LEAF.key_pem(),
            f"not valid for {NAME}, only for chat",
        ),
        (Party(NAME, AUTHORITY).pem, LEAF.key_pem(), "no name at all"),
        (Party(NAME, AUTHORITY, ("*.example",)).pem, LEAF.key_pem(), f"not valid for {NAME}"),
        (Party(NAME, AUTHORITY, (NAME,), begins=-9, days=0).pem, LEAF.key_pem(), "it ends on"),
        (Party(NAME, AUTHORITY, (NAME,), begins=3).pem, LEAF.key_pem(), "only begins on"),
    ],
)
def test_provided_files_that_do_not_fit(provided, chain: str, key: str, problem: str) -> None:
    found = provided(chain, key)
    assert problem in found
    assert "PRIVATE KEY" not in found


def test_missing_file_is_named(tls: ModuleType, tmp_path: Path) -> None:
    missing = str(tmp_path / "chain.pem")
    assert tls.tls_provided_problems(missing, missing, [NAME]) == [
        f"{missing} cannot be read: No such file or directory."
    ]


def test_acme_needs_address_contact_and_whole_binding(tls: ModuleType) -> None:
    assert tls.tls_acme_problems("https://acme.example/dir", "ict@zonnedael.example", "", "") == []
    problems = "\n".join(tls.tls_acme_problems("http://acme.example", "nobody", "kid", ""))
    assert "https://" in problems
    assert "mail address" in problems
    assert "belong together" in problems


SETTINGS = """# renew_before_expiry = 30 days
version = 4.0.0
[renewalparams]
authenticator = webroot
webroot_path = /var/www/acme,
server = https://acme.zonnedael.example/dir
key_type = ecdsa
[[webroot_map]]
cloud.zonnedael.example = /var/www/acme
"""
WANTED = ("https://acme.zonnedael.example/dir", "webroot", "/var/www/acme")


@pytest.mark.parametrize(
    ("settings", "wanted", "reason"),
    [
        (SETTINGS, WANTED, ""),
        ("", WANTED, "does not know it"),
        (SETTINGS, ("https://other.example/dir", *WANTED[1:]), "by https://acme.zonnedael.example/dir"),
        (SETTINGS, (WANTED[0], "standalone", WANTED[2]), "answered by webroot"),
        (SETTINGS, (*WANTED[:2], "/srv/acme"), "answered from /var/www/acme"),
        (SETTINGS.replace("webroot\n", "standalone\n", 1), (WANTED[0], "standalone", "/elsewhere"), ""),
    ],
)
def test_certbot_has_to_renew_in_the_profiles_way(
    tls: ModuleType, settings: str, wanted: tuple[str, str, str], reason: str
) -> None:
    said = tls.tls_acme_reason(settings, *wanted)
    assert reason in said if reason else said == ""
