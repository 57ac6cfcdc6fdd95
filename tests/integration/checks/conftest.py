"""Servers on loopback with certificates of their own, right and wrong on purpose."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from provisioner.checks.browser import Browser, pin, start
from provisioner.checks.outside import WebTarget

HOSTNAME = "cloud.zonnedael.example"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Chain:
    """A CA's certificate, and a server's certificate and key under it, as PEM files."""

    ca: Path
    certificate: Path
    key: Path


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def issue(
    folder: Path,
    *,
    hostname: str = HOSTNAME,
    days: int = 90,
    key: Key | None = None,
    digest: hashes.HashAlgorithm | None = None,
) -> Chain:
    """Make a CA and a server certificate under it."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    ca_key, key = ec.generate_private_key(ec.SECP384R1()), key or ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("Test CA")

    def build(
        subject: x509.Name, public: object, *, authority: bool, end: datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public)  # type: ignore[arg-type]
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=200))
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )

    ca = build(ca_name, ca_key.public_key(), authority=True, end=now + timedelta(days=900)).sign(
        ca_key, hashes.SHA384()
    )
    leaf = (
        build(_name(hostname), key.public_key(), authority=False, end=now + timedelta(days=days, minutes=5))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(hostname)]), critical=False)
        .sign(ca_key, digest or hashes.SHA256())
    )
    chain = Chain(folder / "ca.pem", folder / "fullchain.pem", folder / "privkey.pem")
    chain.ca.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    chain.certificate.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    chain.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return chain


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes] | None = None) -> None:
    """Return when something listens on the port of loopback."""
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process is None or process.poll() is None, "the server ended"
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on {port}")


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """Certificates as the tls role makes them."""
    return issue(tmp_path_factory.mktemp("chain"))


@contextmanager
def serving(chain: Chain, handler: type[BaseHTTPRequestHandler]) -> Iterator[WebTarget]:
    """Serve over TLS on loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain.certificate, chain.key)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield WebTarget(HOSTNAME, "127.0.0.1", chain.ca, port=server.server_port)
        finally:
            server.shutdown()


@contextmanager
def browsing(web: WebTarget) -> Iterator[Browser]:
    """Run a browser that reaches the server and trusts its key."""
    # pytest's folders have long names, and Chromium's sockets may not.
    with (
        tempfile.TemporaryDirectory() as folder,
        start(Path(folder), {HOSTNAME: "127.0.0.1"}, [pin(web)]) as browser,
    ):
        yield browser


@pytest.fixture
def target(chain: Chain) -> WebTarget:
    """A target on loopback on which nothing listens yet."""
    return WebTarget(HOSTNAME, "127.0.0.1", chain.ca, port=free_port(), http_port=free_port())


Serve = Callable[..., WebTarget]

GOOD_OPTIONS = (
    *("-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256"),
    *("-groups", "X25519:X448:P-384:P-256"),
    *("-sigalgs", "ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256:RSA+SHA256"),
)


@pytest.fixture
def openssl_server(chain: Chain, target: WebTarget) -> Iterator[Serve]:
    """Start ``openssl s_server`` with options of one's own: it can do what no web server would."""
    running: list[subprocess.Popen[bytes]] = []

    def serve(*options: str, using: Chain = chain) -> WebTarget:
        process = subprocess.Popen(
            [
                *("openssl", "s_server", "-accept", f"127.0.0.1:{target.port}", "-www"),
                *("-cert", str(using.certificate), "-key", str(using.key), *options),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Without the distribution's smallest version and security level.
            env=os.environ | {"OPENSSL_CONF": os.devnull},
        )
        running.append(process)
        wait_for(target.port, process)
        return replace(target, ca_file=using.ca)

    yield serve
    for process in running:
        process.kill()
        process.communicate()


@contextmanager
def listening() -> Iterator[int]:
    """Listen on a port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])
