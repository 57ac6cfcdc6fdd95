"""The portal's probes against a small server, with faults on demand."""

from __future__ import annotations

import html
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from provisioner.checks.outside import PortalTarget, WebTarget, portal
from provisioner.checks.outside.promise import Finding, NoEvidence
from provisioner.checks.result import Verdict

from .conftest import HOSTNAME, Chain, free_port

URL = f"https://{HOSTNAME}/.well-known/security.txt"
PRIVACY = "https://www.zonnedael.example/privacy?taal=nl&van=portaal"
SERVICES = ("bestanden.zonnedael.example", "chat.zonnedael.example")


def page(language: str, other: str) -> str:
    links = "".join(f'<a href="https://{name}/">{name}</a>' for name in SERVICES)
    links += f'<a href="{html.escape(PRIVACY)}">Privacy</a>'
    return (
        f'<!doctype html><html lang="{language}"><link rel="stylesheet" href="/portal.css"><img src="/logo.svg">'
        f'<a href="/{other}/" hreflang="{other}">{other}</a>{links}</html>'
    )


def security_txt(days: float = 100) -> str:
    end = (datetime.now(UTC) + timedelta(days=days)).isoformat()
    return f"Contact: mailto:ict@zonnedael.example\nCanonical: {URL}\nExpires: {end}\n"


@dataclass
class Site:
    """What the server answers by path, and where the services lead."""

    pages: dict[str, str] = field(
        default_factory=lambda: {
            "/nl/": page("nl", "en"),
            "/en/": page("en", "nl"),
            "/.well-known/security.txt": security_txt(),
        }
    )
    kind: str = "text/plain; charset=utf-8"
    services_lead_to: str = URL


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def target(site: Site, chain: Chain) -> Iterator[PortalTarget]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = site.pages.get(self.path)
            leads = self.headers["Host"] in SERVICES
            self.send_response(302 if leads else 200 if content else 404)
            if leads:
                self.send_header("Location", site.services_lead_to)
            self.send_header("Content-Type", site.kind)
            self.end_headers()
            self.wfile.write(b"" if leads else (content or "").encode())

        def log_message(self, *arguments: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain.certificate, chain.key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    web = WebTarget(HOSTNAME, "127.0.0.1", chain.ca, port=server.server_port)
    # The one certificate is for the portal's name: of the services nothing but their redirect is asked.
    services = tuple(replace(web, hostname=name) for name in SERVICES)
    yield PortalTarget(web, ("nl", "en"), services, (PRIVACY,))
    server.shutdown()
    server.server_close()


def fails(finding: Finding, with_words: str) -> None:
    assert finding.verdict is Verdict.FAIL
    assert with_words in finding.actual


def test_a_whole_page_passes(target: PortalTarget) -> None:
    finding = portal.check_page(target)
    assert finding.verdict is Verdict.PASS, finding.actual
    assert all(name in finding.actual for name in SERVICES)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('lang="en">', 'lang="nl">', "/en/ says lang=nl"),
        ('<html lang="en">', "<html>", "/en/ says lang=nothing"),
        ("https://chat.", "https://praat.", "/en/ does not link chat.zonnedael.example"),
        ("/privacy?", "/elders?", f"/en/ does not link {PRIVACY}"),
        ('hreflang="nl"', "", "/en/ does not link nl with its hreflang"),
        ('src="/logo.svg"', 'src="https://cdn.example/logo.svg"', "/en/ loads https://cdn.example/logo.svg"),
        ('href="/portal.css"', 'href="//cdn.example/a.css"', "/en/ loads //cdn.example/a.css"),
        ("</html>", "<script>1</script></html>", "/en/ has a script"),
    ],
)
def test_each_fault_of_a_page_is_named(
    site: Site, target: PortalTarget, old: str, new: str, words: str
) -> None:
    assert old in site.pages["/en/"]
    site.pages["/en/"] = site.pages["/en/"].replace(old, new)
    finding = portal.check_page(target)
    fails(finding, words)
    assert "/nl/" not in finding.actual


def test_a_language_without_a_page_is_named(site: Site, target: PortalTarget) -> None:
    del site.pages["/en/"]
    fails(portal.check_page(target), "/en/ answers 404")


def test_a_valid_security_txt_that_the_services_lead_to_passes(target: PortalTarget) -> None:
    finding = portal.check_security_txt(target)
    assert finding.verdict is Verdict.PASS, finding.actual
    assert finding.actual.startswith("Expires: ")


def test_a_security_txt_that_is_about_to_end_fails(site: Site, target: PortalTarget) -> None:
    site.pages["/.well-known/security.txt"] = security_txt(days=29.5)
    fails(portal.check_security_txt(target), "ends in 29 days")


def test_a_security_txt_of_another_type_or_none_fails(site: Site, target: PortalTarget) -> None:
    site.kind = "text/html"
    fails(portal.check_security_txt(target), "is sent as text/html")
    site.pages.clear()
    fails(portal.check_security_txt(target), "answers 404")


def test_services_that_lead_elsewhere_are_named(site: Site, target: PortalTarget) -> None:
    site.services_lead_to = "https://elders.example/"
    finding = portal.check_security_txt(target)
    fails(finding, "chat.zonnedael.example does not lead to it: 302 to https://elders.example/")


def test_a_portal_that_does_not_answer_is_no_evidence(chain: Chain) -> None:
    silent = PortalTarget(WebTarget(HOSTNAME, "127.0.0.1", chain.ca, port=free_port()), ("nl",), ())
    for check in (portal.check_page, portal.check_security_txt):
        with pytest.raises(NoEvidence):
            check(silent)
