"""The portal as people meet it: a page in every language that leads to every service, and a security.txt."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser

from provisioner.checks.outside import security_txt
from provisioner.checks.outside.http import fetch
from provisioner.checks.outside.promise import Finding, Promise, judge
from provisioner.checks.outside.target import WebTarget

_LOADING = {"stylesheet", "icon", "preload", "manifest", "modulepreload"}


@dataclass(frozen=True, slots=True)
class PortalTarget:
    """A portal: the languages that it speaks, the services that it leads to, and the pages that it has to show."""

    web: WebTarget
    languages: tuple[str, ...]
    services: tuple[WebTarget, ...]
    duties: tuple[str, ...] = ()


@dataclass
class _Page:
    """What a page says about itself: its language, its links with their languages, and what it loads."""

    language: str = ""
    links: dict[str, str] = field(default_factory=dict)
    loads: list[str] = field(default_factory=list)
    scripts: bool = False


class _Reader(HTMLParser):
    """Reads a page into ``page``."""

    def __init__(self) -> None:
        super().__init__()
        self.page = _Page()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take from an element what is asked about."""
        given = {name: value or "" for name, value in attrs}
        if tag == "html":
            self.page.language = given.get("lang", "")
        elif tag == "a" and "href" in given:
            self.page.links[given["href"]] = given.get("hreflang", "")
        elif tag == "link" and _LOADING & set(given.get("rel", "").split()):
            self.page.loads.append(given.get("href", ""))
        self.page.scripts |= tag == "script"
        self.page.loads += [given["src"]] if "src" in given else []


def check_page(target: PortalTarget) -> Finding:
    """Every language has a page that says so, leads to the services and the other languages, and loads only its own."""
    problems = []
    for language in target.languages:
        response = fetch(target.web, f"/{language}/")
        if response.status != 200:
            problems.append(f"/{language}/ answers {response.status}")
            continue
        reader = _Reader()
        reader.feed(response.body.decode("utf-8", "replace"))
        problems += [f"/{language}/ {fault}" for fault in _find_faults(reader.page, language, target)]
    hostnames = ", ".join(service.hostname for service in target.services)
    return judge(problems, f"{' and '.join(target.languages)} lead to {hostnames}")


def check_security_txt(target: PortalTarget) -> Finding:
    """The file is valid, the server says what it is, and the services' names lead to it."""
    url = f"https://{target.web.hostname}{security_txt.PATH}"
    response = fetch(target.web, security_txt.PATH)
    if response.status != 200:
        return judge([f"{security_txt.PATH} answers {response.status}"], "")
    problems = security_txt.find_faults(response.body, url, datetime.now(UTC))
    kind = response.first("content-type").lower().replace(" ", "")
    if kind not in ("text/plain", "text/plain;charset=utf-8"):
        problems.append(f"is sent as {kind or 'nothing'}, not as text/plain in UTF-8")
    for service in target.services:
        answer = fetch(service, security_txt.PATH, trusted=False)
        if answer.first("location") != url:
            where = answer.first("location") or "nowhere"
            problems.append(f"{service.hostname} does not lead to it: {answer.status} to {where}")
    lines = response.body.decode("utf-8", "replace").splitlines()
    return judge(problems, next((line for line in lines if line.startswith("Expires")), ""))


def _find_faults(page: _Page, language: str, target: PortalTarget) -> list[str]:
    faults = [] if page.language == language else [f"says lang={page.language or 'nothing'}"]
    faults += [
        f"does not link {service.hostname}"
        for service in target.services
        if f"https://{service.hostname}/" not in page.links
    ]
    faults += [f"does not link {duty}" for duty in target.duties if duty not in page.links]
    faults += [
        f"does not link {other} with its hreflang"
        for other in target.languages
        if other != language and page.links.get(f"/{other}/") != other
    ]
    faults += [f"loads {load}" for load in page.loads if not load.startswith("/") or load.startswith("//")]
    return faults + (["has a script"] if page.scripts else [])


PORTAL_PROMISES: tuple[Promise[PortalTarget], ...] = (
    Promise(
        "PORTAL-PAGE",
        "The portal leads to every service and duty in every language, and loads nothing from elsewhere",
        "200 for each language, with its lang; links to services, languages, portal.links; no script, nothing foreign",
        "Run apply; it writes the pages anew.",
        check_page,
    ),
    Promise(
        "PORTAL-SECURITYTXT",
        "Whoever finds a vulnerability finds whom to tell: a valid security.txt, at every name",
        f"Valid by RFC 9116, ends in {security_txt.LEAST_DAYS} to {security_txt.MOST_DAYS} days; services lead to it",
        "`systemctl start portal-security-txt.service` on the portal's host; its journal says why it failed.",
        check_security_txt,
    ),
)
