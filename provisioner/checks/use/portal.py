"""The portal as people use it, people with a handicap among them: its logo, colours and links are the profile's."""

from __future__ import annotations

from collections.abc import Mapping

from provisioner.checks.browser import Tab, axe
from provisioner.checks.outside import PortalTarget
from provisioner.checks.outside.promise import Finding, Promise
from provisioner.checks.result import Verdict
from provisioner.checks.use.pages import Page, address_of, show
from provisioner.checks.use.visit import Visit

_PAGE = Page("/", "main a[href^='https:']", "a link to a service")
_SHOWN = 5


def check_page(visit: Visit[PortalTarget]) -> Finding:
    """The portal shows where to go."""
    return show(visit, visit.target.web, _PAGE, "portal")


def check_accessibility(visit: Visit[PortalTarget]) -> Finding:
    """Every language's page, as a phone and as a desktop show it, light and dark, has nothing that axe-core minds."""
    paths = [f"/{language}/" for language in visit.target.languages]
    with visit.browser.tab() as tab:
        return examine_pages(tab, {path: address_of(visit.target.web, path) for path in paths})


def examine_pages(tab: Tab, addresses: Mapping[str, str]) -> Finding:
    """Examine the pages at some addresses, each by what it is called."""
    objections: list[str] = []
    doubts: list[str] = []
    for page, address in addresses.items():
        if (status := tab.open(address)) != 200:
            return Finding(Verdict.FAIL, f"{page} answers {status or 'without a status'}")
        seen = axe.examine_at_every_size(tab)
        objections += [f"{page} {said}" for said in seen.objections]
        doubts += [f"{page} {said}" for said in seen.doubts]
    if objections:
        return Finding(Verdict.FAIL, _count(objections, "objections"), "\n".join(objections + doubts))
    if doubts:
        return Finding(Verdict.WARN, _count(doubts, "things that axe-core cannot tell"), "\n".join(doubts))
    widths = ", ".join(map(str, axe.WIDTHS))
    return Finding(
        Verdict.PASS, f"{len(addresses)} pages, {widths} pixels wide, light and dark: no objection"
    )


def _count(said: list[str], what: str) -> str:
    more = f"; {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
    return f"{len(said)} {what}: {'; '.join(said[:_SHOWN])}{more}"


PORTAL_PROMISES: tuple[Promise[Visit[PortalTarget]], ...] = (
    Promise(
        "USE-PORTAL-PAGE",
        "People find the services from the portal in a browser",
        "The page shows links to services",
        "Look at the picture and at what the browser complained about; run apply.",
        check_page,
    ),
    Promise(
        "USE-PORTAL-ACCESSIBLE",
        "People with a handicap can use the portal, as far as an automatic test can tell",
        "axe-core objects to nothing (WCAG 2.2 A and AA) in any language, as a phone and as a desktop show it, light "
        "and dark, and nothing is to be scrolled sideways",
        "The element is named: where it is a colour or the logo, change `portal.colours` or `portal.logo_file`;"
        " then run apply.",
        check_accessibility,
    ),
)
