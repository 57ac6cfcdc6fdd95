"""The portal's pages in a browser: accessible (axe-core, WCAG 2.2 AA), usable by keyboard, and by themselves."""

from __future__ import annotations

import re
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jinja2
import pytest
import yaml
from ansible.plugins.filter.core import FilterModule

from provisioner.checks.browser import BrowserFailed, Tab, axe, find, start
from provisioner.checks.outside.promise import Finding
from provisioner.checks.result import Verdict
from provisioner.checks.use.portal import examine_pages
from provisioner.profile import colours

ROOT = Path(__file__).parents[3]
ROLE = ROOT / "roles" / "portal"
DEFAULTS = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
POLICY = re.search(r'Content-Security-Policy "([^"]+)"', DEFAULTS["portal_export_nginx_body"])
LANGUAGES = ("nl", "en")
GIVEN = {
    "ansible_managed": "Ansible managed",
    "portal_hostname": "zonnedael.example",
    "portal_organisation": "Gemeente 's-Zonnedael & <Dalen>",
    "portal_services": [
        {"purpose": purpose, "hostname": f"{purpose}.zonnedael.example"}
        for purpose in ("files", "chat", "meet")
    ],
    "portal_links": {
        name: f"https://www.zonnedael.example/{name}"
        for name in ("imprint", "privacy", "accessibility", "security")
    },
    "portal_languages": LANGUAGES,
    "__portal_texts": {
        language: yaml.safe_load((ROLE / f"files/languages/{language}.yml").read_text())
        for language in LANGUAGES
    },
    "__portal_icons": yaml.safe_load((ROLE / "vars/main.yml").read_text())["__portal_icons"],
}

pytestmark = pytest.mark.skipif(not find(), reason="not assessed: there is no Chromium on this computer")


def render(*, logo: str = "logo.svg", accent: str = "#1d4f7c") -> dict[str, tuple[str, bytes]]:
    """Return the pages as the role writes and nginx serves them: type and content by path."""
    environment = jinja2.Environment(  # noqa: S701  the templates escape by themselves, as under Ansible
        loader=jinja2.FileSystemLoader(ROLE / "templates/srv/portal"),
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"comment": FilterModule().filters()["comment"]}
    variables = {
        **GIVEN,
        "portal_colours": vars(colours.paint(accent, "#ffffff")),
        "__portal_logo_name": logo,
    }

    def fill(name: str, **more: object) -> bytes:
        return environment.get_template(f"{name}.j2").render(variables, **more).encode()

    pages = {
        f"/{language}/": ("text/html; charset=utf-8", fill("page.html", item={"language": language}))
        for language in LANGUAGES
    }
    pages["/portal.css"] = ("text/css", fill("portal.css"))
    pages["/logo.svg"] = ("image/svg+xml", (Path(__file__).with_name("logo.svg")).read_bytes())
    return pages


@contextmanager
def serve(pages: Mapping[str, tuple[str, bytes]]) -> Iterator[str]:
    """Serve pages on loopback under the role's content security policy, and yield the address."""
    assert POLICY

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, content = pages.get(self.path, ("text/plain", b""))
            self.send_response(200 if content else 404 if self.path.endswith("/") else 204)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Security-Policy", POLICY[1])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    # pytest's folders have long names, and Chromium's sockets may not.
    with (
        tempfile.TemporaryDirectory() as folder,
        start(Path(folder), {"127.0.0.1": "127.0.0.1"}, []) as browser,
        browser.tab() as tab,
    ):
        yield tab


def requests(tab: Tab) -> list[str]:
    """Return the addresses that were asked for since the page was opened."""
    return [told["request"]["url"] for method, told in tab.events if method == "Network.requestWillBeSent"]


@pytest.mark.parametrize("logo", ["logo.svg", ""], ids=["logo", "name"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_accessible_at_every_width_light_and_dark(tab: Tab, language: str, logo: str) -> None:
    with serve(render(logo=logo)) as address:
        tab.open(f"{address}/{language}/")
        assert tab.evaluate("document.documentElement.lang") == language
        assert axe.examine_at_every_size(tab) == axe.Examination((), ())


def test_the_page_asks_its_own_server_alone_and_breaks_no_policy(tab: Tab) -> None:
    with serve(render()) as address:
        tab.open(f"{address}/nl/")
        assert tab.evaluate("document.querySelector('header img').naturalWidth") > 0
        assert tab.evaluate("getComputedStyle(document.querySelector('.services')).display") == "grid"
        assert f"{address}/portal.css" in requests(tab)
        assert [url for url in requests(tab) if not url.startswith(f"{address}/")] == []
        assert tab.complaints() == []


def test_the_keyboard_reaches_the_content_first_and_shows_where_it_is(tab: Tab) -> None:
    with serve(render()) as address:
        tab.open(f"{address}/en/")
        tab.show(width=412, scheme="light")
        reached = []
        for _ in range(9):
            tab.press("Tab", 9)
            reached.append(tab.evaluate("document.activeElement.getAttribute('href')"))
            seen = tab.evaluate(
                "(() => { const at = document.activeElement, card = getComputedStyle(at, '::after');"
                " return at.getBoundingClientRect().left >= 0 &&"
                " [getComputedStyle(at), card].some(style => style.outlineStyle === 'solid'); })()"
            )
            assert seen, reached[-1]
    services = [f"https://{service['hostname']}/" for service in GIVEN["portal_services"]]
    assert reached == ["#content", "/nl/", *services, *GIVEN["portal_links"].values()]


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("document.documentElement.removeAttribute('lang')", "html-has-lang"),
        ("document.querySelector('header img').removeAttribute('alt')", "image-alt"),
        ("document.querySelector('h2 a').textContent = ''", "link-name"),
    ],
)
def test_axe_sees_faults(tab: Tab, fault: str, rule: str) -> None:
    with serve(render()) as address:
        tab.open(f"{address}/nl/")
        tab.evaluate(fault)
        assert any(found.startswith(f"{rule}:") for found in axe.examine(tab).objections)


@pytest.mark.parametrize(("accent", "readable"), [("#767676", True), ("#777777", False)])
def test_axe_and_validate_agree_on_what_can_be_read(tab: Tab, accent: str, readable: bool) -> None:
    assert (colours.contrast(accent, "#ffffff") >= colours.LEAST_CONTRAST) is readable
    with serve(render(accent=accent)) as address:
        tab.open(f"{address}/nl/")
        tab.show(width=1280, scheme="light")
        found = [finding for finding in axe.examine(tab).objections if finding.startswith("color-contrast:")]
        assert (not found) is readable, found


def check(tab: Tab, address: str) -> Finding:
    return examine_pages(tab, {f"/{language}/": f"{address}/{language}/" for language in LANGUAGES})


def test_what_is_deployed_is_examined_page_by_page(tab: Tab) -> None:
    pages = render()
    with serve(pages) as address:
        assert check(tab, address).verdict is Verdict.PASS
        kind, content = pages["/en/"]
        pages["/en/"] = kind, content.replace(b"alt=", b"data-alt=")
        found = check(tab, address)
        assert found.verdict is Verdict.FAIL
        assert "/en/ 320 pixels, light: image-alt: img" in found.actual
        assert "/nl/" not in found.details
        del pages["/en/"]
        assert check(tab, address).actual == "/en/ answers 404"


def test_what_axe_cannot_tell_is_a_warning(tab: Tab) -> None:
    """Text on a picture: nobody computes its contrast."""
    pages = render()
    kind, content = pages["/portal.css"]
    pages["/portal.css"] = kind, content + b"h2 a { background-image: url(/logo.svg) }"
    with serve(pages) as address:
        found = check(tab, address)
    assert found.verdict is Verdict.WARN
    assert "color-contrast" in found.details


def test_without_axe_nothing_is_assessed(tab: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(axe, "_PACKAGE", "no_such_package")
    with serve(render()) as address, pytest.raises(BrowserFailed, match="pip install"):
        check(tab, address)
