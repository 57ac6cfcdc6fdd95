"""The browser of the checks, in a real Chromium: whom it trusts, whom it reaches, what it tells, and how it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from provisioner.checks.browser import Browser, BrowserFailed, find, pin
from provisioner.checks.outside import WebTarget
from provisioner.checks.outside.promise import NoEvidence
from provisioner.checks.result import Verdict
from provisioner.checks.use.album import Album
from provisioner.checks.use.pages import Page, describe_look, judge_requests, look

from .conftest import HOSTNAME, Chain, browsing, issue, serving

pytestmark = pytest.mark.skipif(not find(), reason="not assessed: there is no Chromium on this computer")

WORKER = "fetch('https://worker.vendor.example/').catch(() => {})"
PAGES = {
    "/good": "<h1>Welcome</h1><input type=password style='height: 20px'>",
    "/hidden": "<input type=password style='display: none'>",
    "/broken": "<script>undefinedFunction('?token=secret')</script><script src=/absent.js></script>",
    "/vendor": """<img src="https://image.vendor.example/a.png?id=person">
        <iframe src="https://frame.vendor.example/"></iframe><script>
        new Worker('/worker.js'); new WebSocket('wss://socket.vendor.example/');
        navigator.serviceWorker.register('/worker.js')</script>""",
    "/worker.js": WORKER,
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        content = PAGES.get(path, "").encode()
        self.send_response(200 if content else 404)
        self.send_header("Content-Type", "text/javascript" if path.endswith(".js") else "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def web(chain: Chain) -> Iterator[WebTarget]:
    with serving(chain, Handler) as target:
        yield target


@pytest.fixture(scope="module")
def browser(web: WebTarget) -> Iterator[Browser]:
    with browsing(web) as browser:
        yield browser


@pytest.mark.parametrize(
    ("path", "problems"),
    [
        ("/good", []),
        ("/hidden", ["/hidden does not show a form"]),
        ("/absent", ["/absent answers 404"]),
    ],
)
def test_a_page_shows_what_people_need_or_not(
    browser: Browser, web: WebTarget, path: str, problems: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provisioner.checks.use.pages._SECONDS", 1)
    with browser.tab() as tab:
        assert look(tab, web, Page(path, "input[type=password]", "a form")) == problems


def test_what_the_browser_complains_about_is_told_without_secrets_and_pictured(
    browser: Browser, web: WebTarget, tmp_path: Path
) -> None:
    with browser.tab() as tab:
        tab.open(f"https://{HOSTNAME}:{web.port}/broken?jwt=secret")
        tab.attend(1)
        picture = Album(tmp_path).keep("broken", tab)
        finding = describe_look(tab, ["no form"], "", [picture])
    assert finding.verdict is Verdict.FAIL
    assert "undefinedFunction is not defined" in finding.details
    assert "/absent.js" in finding.details
    assert "secret" not in finding.details
    assert finding.screenshots == ("screenshots/broken.jpg",)
    assert (tmp_path / "screenshots/broken.jpg").stat().st_mode & 0o777 == 0o600


def test_every_third_party_that_a_page_or_its_workers_ask_is_named(browser: Browser, web: WebTarget) -> None:
    with browser.tab() as tab:
        tab.open(f"https://{HOSTNAME}:{web.port}/vendor")
        tab.attend(2)
    said = judge_requests(browser, [HOSTNAME]).actual
    for asker in ("image", "frame", "worker", "socket"):
        assert f"{asker}.vendor.example" in said
    assert f"worker.vendor.example (https://{HOSTNAME}:{web.port}/vendor)" in said
    assert "worker.vendor.example (a service worker)" in said
    assert "person" not in said


def test_what_a_page_keeps_is_not_there_for_another_tab(browser: Browser, web: WebTarget) -> None:
    for _ in range(2):
        with browser.tab() as tab:
            tab.open(f"https://{HOSTNAME}:{web.port}/good")
            assert tab.evaluate("document.cookie") == ""
            tab.evaluate("document.cookie = 'a=b; secure'")


def test_a_certificate_whose_key_is_not_known_is_an_error(browser: Browser, chain: Chain) -> None:
    other = issue(chain.ca.parent / "another")
    with serving(other, Handler) as web:
        with browser.tab() as tab, pytest.raises(BrowserFailed, match="ERR_CERT_AUTHORITY_INVALID"):
            tab.open(f"https://{HOSTNAME}:{web.port}/good?jwt=secret")
        with pytest.raises(NoEvidence, match="certificate verify failed"):
            pin(replace(web, ca_file=chain.ca))


def test_a_name_that_is_not_the_deployments_is_not_resolved(browser: Browser) -> None:
    with browser.tab() as tab, pytest.raises(BrowserFailed, match="ERR_NAME_NOT_RESOLVED"):
        tab.open("https://www.vendor.example/")


def test_the_browser_ends_with_the_process_that_started_it() -> None:
    program = (
        "import sys, time; from pathlib import Path; from provisioner.checks.browser import start\n"
        "with start(Path(sys.argv[1]), {}, []) as browser:\n    print('up', flush=True); time.sleep(60)\n"
    )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen([sys.executable, "-c", program, folder], stdout=subprocess.PIPE)
        assert process.stdout
        with process.stdout:
            assert process.stdout.readline() == b"up\n"
        assert _processes_of(folder)
        process.send_signal(signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + 20
        while left := _processes_of(folder):
            assert time.monotonic() < deadline, left
            time.sleep(0.2)


def _processes_of(folder: str) -> list[str]:
    """Return the command lines of the browser whose home is in a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"--user-data-dir={folder}" in line:
            found.append(line[:200])
    return found
