"""Pages that people see first, in a browser: pictured, and held to ask nobody but the deployment for anything."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from provisioner.checks.browser import NETWORK_CHANGED, Browser, Request, Tab
from provisioner.checks.outside.promise import Finding, NoEvidence, Promise, judge
from provisioner.checks.outside.target import WebTarget
from provisioner.checks.result import Verdict
from provisioner.checks.use.target import Suite
from provisioner.checks.use.visit import Target, Visit

_SECONDS = 20
_ENTER = 13
_SCHEMES = ("http", "https", "ws", "wss")
_MOST_COMPLAINTS = 20
_ATTEMPTS = 2  # where a script of the page was lost with an interface of this computer


@dataclass(frozen=True, slots=True)
class Page:
    """A page, and by what a person knows that it works.

    Attributes:
        path: Where it is.
        sign: Selector of what has to be visible.
        what: The same in words.
    """

    path: str
    sign: str
    what: str


def show(visit: Visit[Target], web: WebTarget, page: Page, name: str) -> Finding:
    """Open a page, look for its sign, and keep a picture of it by a name."""
    with visit.browser.tab() as tab:
        problems = look(tab, web, page)
        return describe_look(tab, problems, f"{page.path} shows {page.what}", [visit.album.keep(name, tab)])


def look(tab: Tab, web: WebTarget, page: Page) -> list[str]:
    """Open a page and return what is wrong with it: its status, or that its sign is not visible in time."""
    sign = f"document.querySelector({json.dumps(page.sign)})"
    for _ in range(_ATTEMPTS):
        status = tab.open(address_of(web, page.path))
        if status != 200:
            return [f"{page.path} answers {status or 'without a status'}"]
        if tab.wait_for(f"({sign}?.getBoundingClientRect().height ?? 0) > 0", _SECONDS):
            return []
        if not any(NETWORK_CHANGED in complaint for complaint in tab.complaints()):
            break
    return [f"{page.path} does not show {page.what}"]


def send_form(tab: Tab, fields: Mapping[str, str]) -> list[str]:
    """Fill in the form of the log-in page that is open, by selectors, and send it; return what is wrong."""
    for selector, text in fields.items():
        tab.fill(selector, text)
    tab.press("Enter", _ENTER)
    if tab.wait_for("!location.pathname.includes('/login')"):
        return []
    return ["the form does not let the user in"]


def address_of(web: WebTarget, path: str) -> str:
    """Return the address of a page as people type it."""
    return f"https://{web.hostname}" + ("" if web.port == 443 else f":{web.port}") + path


def describe_look(tab: Tab, problems: list[str], fine: str, pictures: Sequence[str]) -> Finding:
    """Return a finding with its pictures; the browser's complaints are in it where there are problems."""
    if problems:
        complaints = "\n".join(tab.complaints()[:_MOST_COMPLAINTS])
        return Finding(Verdict.FAIL, "; ".join(problems), complaints, tuple(pictures))
    return Finding(Verdict.PASS, fine, screenshots=tuple(pictures))


def check_requests(visit: Visit[Suite]) -> Finding:
    """What the pages asked for, and the servers that they named for calls, are the deployment's."""
    return judge_requests(visit.browser, (peer.hostname for peer in visit.target.peers))


def judge_requests(browser: Browser, hostnames: Iterable[str]) -> Finding:
    """Hold what a browser's pages asked for against the only names that they may ask.

    Raises:
        NoEvidence: No page asked for anything.
    """
    own = frozenset(hostnames)
    asked = [request for request in browser.requests if urlsplit(request.url).scheme in _SCHEMES]
    if not asked:
        raise NoEvidence("no page was opened")
    foreign = [_describe(request) for request in asked if urlsplit(request.url).hostname not in own]
    foreign += [f"{url} for calls" for url in sorted(browser.servers) if _host_of_server(url) not in own]
    fine = (
        f"{len(asked)} requests and {len(browser.servers)} servers for calls, all at the deployment's names"
    )
    return judge([f"a page asks {text}" for text in dict.fromkeys(foreign)], fine)


def _describe(request: Request) -> str:
    return f"{urlsplit(request.url).hostname} ({request.page})"


def _host_of_server(url: str) -> str | None:
    """Return the host in ``turns:host:port?transport=tcp`` (RFC 7064, RFC 7065)."""
    return urlsplit(f"//{url.partition(':')[2].partition('?')[0]}").hostname


REQUESTS: Promise[Visit[Suite]] = Promise(
    "USE-BROWSER-REQUESTS",
    "Pages ask nobody but the deployment for anything",
    "Every request of every page and worker, and every STUN and TURN server, is at one of the deployment's names",
    "The page in brackets asks for it: switch the feature off, or take the app out that brings it.",
    check_requests,
)
