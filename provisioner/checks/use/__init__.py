"""Real use of the deployment: throw-away people share files, write to each other and meet, in browsers if people do."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial

from provisioner.checks.browser import Browser, BrowserFailed, pin, start
from provisioner.checks.outside.promise import Finding, NoEvidence, Promise
from provisioner.checks.result import Check
from provisioner.checks.use.album import Album
from provisioner.checks.use.chat import CHAT_PROMISES
from provisioner.checks.use.files import FILES_PROMISES
from provisioner.checks.use.meet import MEET_PROMISES, PUBLIC_PROMISES
from provisioner.checks.use.names import Names
from provisioner.checks.use.pages import REQUESTS
from provisioner.checks.use.portal import PORTAL_PROMISES
from provisioner.checks.use.target import ChatHost, MeetTarget, Participant, Suite, Videobridge
from provisioner.checks.use.visit import Target, Visit

__all__ = ["ChatHost", "MeetTarget", "Participant", "Suite", "Videobridge", "run"]


def run(suite: Suite) -> Generator[Check, None, None]:
    """Hold every promise about the services that the suite has, one after another, and yield each check.

    Closing it, or an interruption, removes what the check at that moment had made; what a killed process left is
    removed by the next run. What cannot be looked at is a check with verdict ``not_assessed``.
    """
    with _browser(suite) as opened:
        visit = Visit(suite, Names(suite.owner), Album(suite.directory), opened)
        yield from _use(visit, "files", suite.files, FILES_PROMISES)
        yield from _use(visit, "chat", suite.chat, CHAT_PROMISES)
        yield from _use(visit, "meet", suite.meet, MEET_PROMISES)
        public = suite.meet if suite.meet and suite.meet.is_public else None
        yield from _use(visit, "meet", public, PUBLIC_PROMISES)
        yield from _use(visit, "portal", suite.portal, PORTAL_PROMISES)
        yield REQUESTS.hold(visit, ", ".join(site.hostname for site in suite.web.values()))


def _use(
    visit: Visit[Suite], purpose: str, target: Target | None, promises: Sequence[Promise[Visit[Target]]]
) -> Iterator[Check]:
    if target is None:
        return
    suite = visit.target
    double = suite.doubles.get(purpose)
    for promise in promises:
        held = replace(promise, probe=partial(_refuse, double)) if double else promise
        one = Visit(target, visit.names, visit.album, visit.opened)
        yield held.hold(one, suite.web[purpose].hostname)


def _refuse(double: str, visit: object) -> Finding:
    raise NoEvidence(f"a contract double stands in for {double}, and says nothing about its use")


@contextmanager
def _browser(suite: Suite) -> Iterator[Browser | BrowserFailed]:
    """Run a browser for the length of the block, or give the reason why there is none."""
    keys = []
    for peer in suite.peers:
        with suppress(NoEvidence):  # its pages will not be trusted; the check of the certificate says why
            keys.append(pin(peer))
    names = {peer.hostname: peer.address for peer in suite.peers}
    with ExitStack() as stack:
        opened: Browser | BrowserFailed
        try:
            opened = stack.enter_context(start(suite.scratch, names, keys))
        except BrowserFailed as error:
            opened = error
        yield opened
