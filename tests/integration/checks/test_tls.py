"""Each TLS probe passes on a good server and fails on one that has the fault it looks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from provisioner.checks.outside import WebTarget, handshake, tls
from provisioner.checks.outside.certificate import check_certificate
from provisioner.checks.outside.promise import Finding, NoEvidence, Promise
from provisioner.checks.result import Verdict

from .conftest import GOOD_OPTIONS, Serve, issue

Probe = Callable[[WebTarget], Finding]
PROBES = [
    tls.check_versions,
    tls.check_suites,
    tls.check_key_exchange,
    tls.check_signatures,
    tls.check_session,
]


@pytest.mark.parametrize("probe", PROBES)
def test_probe_passes_on_a_good_server(probe: Probe, openssl_server: Serve) -> None:
    finding = probe(openssl_server(*GOOD_OPTIONS))
    assert finding.verdict is Verdict.PASS, finding


@pytest.mark.parametrize(
    ("probe", "options", "said"),
    [
        (tls.check_versions, ("-cipher", "ALL:@SECLEVEL=0"), "TLS 1.0"),
        (tls.check_suites, ("-cipher", "ECDHE-ECDSA-AES256-SHA:ECDHE-ECDSA-AES256-GCM-SHA384"), "AES256-SHA"),
        (
            tls.check_suites,
            # OpenSSL 3.5 takes its short tags for too weak at its ordinary security level.
            (
                "-cipher",
                "ECDHE+AESGCM:@SECLEVEL=0",
                "-ciphersuites",
                "TLS_AES_128_CCM_8_SHA256:TLS_AES_256_GCM_SHA384",
            ),
            "CCM_8",
        ),
        (tls.check_key_exchange, ("-groups", "X25519:P-256:ffdhe2048"), "ffdhe2048"),
        (tls.check_key_exchange, ("-groups", "P-224:X25519:P-256"), "secp224r1"),
        (tls.check_signatures, (), "SHA-224"),
        (
            tls.check_signatures,
            ("-cipher", "ALL:@SECLEVEL=0", "-sigalgs", "ECDSA+SHA1:ECDSA+SHA256"),
            "SHA-1",
        ),
        (tls.check_session, (*GOOD_OPTIONS, "-client_renegotiation"), "renegotiate"),
        (tls.check_session, (*GOOD_OPTIONS, "-max_early_data", "16384"), "early data"),
    ],
)
def test_probe_fails_on_a_server_with_the_fault(
    probe: Probe, options: tuple[str, ...], said: str, openssl_server: Serve
) -> None:
    finding = probe(openssl_server(*options))
    assert finding.verdict is Verdict.FAIL
    assert said in finding.actual


@pytest.mark.parametrize(
    ("probe", "options", "said"),
    [
        (tls.check_suites, ("-cipher", "ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384"), "SHA384"),
        (tls.check_key_exchange, (*GOOD_OPTIONS, "-groups", "X25519:P-256:ffdhe3072"), "ffdhe3072"),
    ],
)
def test_what_is_to_be_phased_out_is_a_warning(
    probe: Probe, options: tuple[str, ...], said: str, openssl_server: Serve
) -> None:
    finding = probe(openssl_server(*options))
    assert finding.verdict is Verdict.WARN
    assert said in finding.actual


@pytest.mark.parametrize(("bits", "verdict"), [(2048, Verdict.FAIL), (3072, Verdict.WARN)])
def test_finite_field_exchange_of_tls_12(
    bits: int, verdict: Verdict, openssl_server: Serve, tmp_path: Path
) -> None:
    # OpenSSL takes a group as large as the certificate's key.
    chain = issue(tmp_path, key=rsa.generate_private_key(65537, bits))
    finding = tls.check_key_exchange(openssl_server("-cipher", "DHE:ECDHE", "-groups", "X25519", using=chain))
    assert finding.verdict is verdict
    assert f"DH, {bits} bits" in finding.actual


@pytest.mark.parametrize("probe", [*PROBES, check_certificate])
def test_no_server_is_no_evidence(probe: Probe, target: WebTarget) -> None:
    with pytest.raises((NoEvidence, ConnectionRefusedError)):
        probe(target)


@pytest.mark.parametrize("probe", PROBES)
def test_no_openssl_is_no_evidence(probe: Probe, target: WebTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    check = Promise("X", "t", "e", "r", probe).hold(target, "name")
    assert check.verdict is Verdict.NOT_ASSESSED
    assert "openssl is not installed" in check.actual


def test_an_offer_this_computer_cannot_make_is_no_evidence(openssl_server: Serve) -> None:
    target = openssl_server(*GOOD_OPTIONS)
    with pytest.raises(NoEvidence, match="cannot offer"):
        handshake.offer(target, "-tls1_3", "-groups", "no-such-group")
    with pytest.raises(NoEvidence, match="cannot offer"):  # given up before a ClientHello was sent
        handshake.offer(target, "-tls1_2", "-sigalgs", "ECDSA+SHA1")


class TestCertificate:
    def test_good(self, openssl_server: Serve) -> None:
        finding = check_certificate(openssl_server(*GOOD_OPTIONS))
        assert finding.verdict is Verdict.PASS, finding

    def test_of_another_authority(self, openssl_server: Serve, tmp_path: Path) -> None:
        target = openssl_server(*GOOD_OPTIONS)
        stranger = WebTarget(target.hostname, target.address, issue(tmp_path).ca, port=target.port)
        finding = check_certificate(stranger)
        assert finding.verdict is Verdict.FAIL
        assert "not trusted" in finding.actual

    def test_for_another_name(self, openssl_server: Serve, tmp_path: Path) -> None:
        finding = check_certificate(openssl_server(using=issue(tmp_path, hostname="other.example")))
        assert finding.verdict is Verdict.FAIL
        assert "mismatch" in finding.actual

    def test_expired(self, openssl_server: Serve, tmp_path: Path) -> None:
        finding = check_certificate(openssl_server(using=issue(tmp_path, days=-1)))
        assert finding.verdict is Verdict.FAIL
        assert "expired" in finding.actual

    def test_about_to_expire(self, openssl_server: Serve, tmp_path: Path) -> None:
        finding = check_certificate(openssl_server(using=issue(tmp_path, days=20)))
        assert finding.verdict is Verdict.WARN
        assert "20 more days" in finding.actual

    @pytest.mark.parametrize(
        ("bits", "verdict"), [(1024, Verdict.FAIL), (2048, Verdict.WARN), (3072, Verdict.PASS)]
    )
    def test_rsa_key(self, bits: int, verdict: Verdict, openssl_server: Serve, tmp_path: Path) -> None:
        chain = issue(tmp_path, key=rsa.generate_private_key(65537, bits))
        finding = check_certificate(openssl_server("-cipher", "ALL:@SECLEVEL=0", using=chain))
        assert finding.verdict is verdict
        assert f"RSA {bits}" in finding.actual

    def test_weak_digest(self, openssl_server: Serve, tmp_path: Path) -> None:
        chain = issue(tmp_path, digest=hashes.SHA224())
        finding = check_certificate(openssl_server(using=chain))
        assert finding.verdict is Verdict.WARN
        assert "sha224" in finding.actual
