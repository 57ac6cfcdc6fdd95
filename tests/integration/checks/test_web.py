"""Each web probe passes on a server as the nginx role sets it up, and fails on one with the fault."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from provisioner.checks.outside import WebTarget, web
from provisioner.checks.outside.promise import Finding, NoEvidence
from provisioner.checks.result import Verdict

from .conftest import HOSTNAME, Chain

Headers = list[tuple[str, str]]
STRICT_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
PAGE_POLICY = "default-src 'none'; script-src 'nonce-abc'; style-src 'self' 'unsafe-inline'"
GOOD_HEADERS: Headers = [
    ("Strict-Transport-Security", "max-age=31536000"),
    ("X-Frame-Options", "SAMEORIGIN"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
]


@pytest.fixture
def serve(chain: Chain, target: WebTarget) -> Iterator[Callable[..., WebTarget]]:
    """Serve HTTPS with ``headers`` everywhere, and plain HTTP that leads to ``location``."""
    servers: list[ThreadingHTTPServer] = []

    def start(
        headers: Headers = GOOD_HEADERS,
        *,
        root: Headers = [("Content-Security-Policy", STRICT_POLICY)],  # noqa: B006  read only
        page: Headers = [("Content-Security-Policy", PAGE_POLICY)],  # noqa: B006
        location: str | None = f"https://{HOSTNAME}/",
    ) -> WebTarget:
        class Secure(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(302 if self.path == "/" else 200)
                special = root if self.path == "/" else page
                for name, value in [*headers, *special, ("Location", "/login"), ("Content-Length", "0")]:
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        class Plain(Secure):
            def do_GET(self) -> None:
                self.send_response(301)
                self.send_header("Location", str(location))
                self.end_headers()

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain.certificate, chain.key)
        secure = ThreadingHTTPServer(("127.0.0.1", target.port), Secure)
        secure.socket = context.wrap_socket(secure.socket, server_side=True)
        servers.append(secure)
        if location:
            servers.append(ThreadingHTTPServer(("127.0.0.1", target.http_port), Plain))
        for server in servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return target

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


Probe = Callable[[WebTarget], Finding]
Serve = Callable[..., WebTarget]


@pytest.mark.parametrize(
    "probe",
    [
        web.check_redirect,
        web.check_strict_transport,
        web.check_headers,
        web.check_root_policy,
        web.check_application_policy,
    ],
)
def test_probe_passes_on_a_good_server(probe: Probe, serve: Serve) -> None:
    finding = probe(serve())
    assert finding.verdict is Verdict.PASS, finding


@pytest.mark.parametrize(
    "location",
    ["https://www.other.example/", f"http://{HOSTNAME}/login", "/login", f"https://{HOSTNAME}.evil.example/"],
)
def test_redirect_to_elsewhere_fails(location: str, serve: Serve) -> None:
    finding = web.check_redirect(serve(location=location))
    assert finding.verdict is Verdict.FAIL
    assert location in finding.actual


def test_closed_plain_port_is_right(serve: Serve) -> None:
    finding = web.check_redirect(serve(location=None))
    assert finding.verdict is Verdict.PASS
    assert "closed" in finding.actual


@pytest.mark.parametrize("value", ["max-age=31535999", "max-age=", "includeSubDomains", "max-age=315360000s"])
def test_short_or_broken_strict_transport_fails(value: str, serve: Serve) -> None:
    finding = web.check_strict_transport(serve([("Strict-Transport-Security", value)]))
    assert finding.verdict is Verdict.FAIL


def test_of_two_strict_transport_headers_the_first_counts(serve: Serve) -> None:
    name = "Strict-Transport-Security"
    finding = web.check_strict_transport(serve([(name, "max-age=0"), (name, "max-age=31536000")]))
    assert finding.verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Frame-Options", "ALLOWALL"),
        ("X-Content-Type-Options", "sniff"),
        ("Referrer-Policy", "unsafe-url"),
        ("Referrer-Policy", "no-referrer, origin"),
    ],
)
def test_wrong_header_is_named(name: str, value: str, serve: Serve) -> None:
    headers = [(key, value if key == name else right) for key, right in GOOD_HEADERS]
    finding = web.check_headers(serve(headers))
    assert finding.verdict is Verdict.FAIL
    assert name in finding.actual


def test_last_referrer_policy_counts(serve: Serve) -> None:
    finding = web.check_headers(serve([*GOOD_HEADERS, ("Referrer-Policy", "unsafe-url")]))
    assert finding.verdict is Verdict.FAIL
    assert "unsafe-url" in finding.actual


def test_no_header_at_all_fails(serve: Serve) -> None:
    target = serve([], root=[], page=[])
    assert web.check_strict_transport(target).verdict is Verdict.FAIL
    assert "X-Frame-Options: absent" in web.check_headers(target).actual
    assert web.check_root_policy(target).verdict is Verdict.FAIL
    assert web.check_application_policy(target).verdict is Verdict.WARN


def test_page_policy_on_the_start_address_fails(serve: Serve) -> None:
    finding = web.check_root_policy(serve(root=[("Content-Security-Policy", PAGE_POLICY)]))
    assert finding.verdict is Verdict.FAIL
    assert "has-unsafe-inline: style-src" in finding.actual


def test_application_policy_that_lets_scripts_in_is_a_warning(serve: Serve) -> None:
    policy = "script-src 'self' 'unsafe-inline'"
    assert (
        web.check_application_policy(serve(page=[("Content-Security-Policy", policy)])).verdict
        is Verdict.WARN
    )


def test_application_policy_needs_a_page(serve: Serve) -> None:
    target = serve()
    with pytest.raises(NoEvidence, match="leads on to /login"):
        web.check_application_policy(
            WebTarget(HOSTNAME, target.address, target.ca_file, target.port, page="/")
        )
