"""A meeting of three browsers: each receives the others' sound and picture, directly and through the relay."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack

from provisioner.checks.browser import Browser, Tab
from provisioner.checks.outside.promise import Finding, Promise
from provisioner.checks.result import Verdict
from provisioner.checks.use import media
from provisioner.checks.use.album import Album
from provisioner.checks.use.media import Reception
from provisioner.checks.use.target import MeetTarget
from provisioner.checks.use.visit import Visit

PARTICIPANTS = 3
_SECONDS = 90
_POLL_SECONDS = 2
#: Prflx and srflx are this computer's own addresses as the other end sees them.
DIRECT = ("host/udp", "prflx/udp", "srflx/udp")
RELAYED = ("relay/tls",)
# Over the videobridge also while only two are there. The page before the room stays: a client that an address tells to
# pass over it takes part without camera and microphone.
_SETTINGS = "#config.p2p.enabled=false&config.startWithAudioMuted=false"
# What a person presses on that page, while it is there.
_JOIN = """document.querySelector('[data-testid="prejoin.joinMeeting"]')?.click()"""


def hold_meeting(
    browser: Browser, album: Album, addresses: Sequence[str], *, relayed: bool, seconds: float = _SECONDS
) -> Finding:
    """Have a participant open each address, until each receives all others, or the time is over.

    Args:
        browser: Where they meet.
        album: Takes a picture of the meeting.
        addresses: One per participant.
        relayed: Whether only TURN over TLS is left to them.
        seconds: How long they may take.
    """
    ways = RELAYED if relayed else DIRECT
    started = time.monotonic()
    with ExitStack() as tabs:
        participants = [tabs.enter_context(browser.tab()) for _ in addresses]
        for tab, address in zip(participants, addresses, strict=True):
            tab.inject(media.watch(relayed=relayed))
            tab.open(address)
        while True:
            for tab in participants:
                tab.evaluate(_JOIN)
            receptions = [Reception.read(tab.evaluate(media.ASK)) for tab in participants]
            problems = [
                f"participant {number} lacks {', '.join(missing)}"
                for number, reception in enumerate(receptions, 1)
                if (missing := reception.missing(len(addresses) - 1, ways))
            ]
            if not problems or time.monotonic() - started > seconds:
                break
            participants[0].attend(_POLL_SECONDS)
        name = f"meet-{'turn' if relayed else 'udp'}"
        browser.servers.update(*(reception.servers for reception in receptions))
        pictures = (album.keep(name, participants[0]),)
        details = "\n".join(
            [f"participant {number}: {reception}" for number, reception in enumerate(receptions, 1)]
            + (_complaints(participants) if problems else [])
        )
    taken = time.monotonic() - started
    if problems:
        return Finding(Verdict.FAIL, f"after {taken:.0f} s: {'; '.join(problems)}", details, pictures)
    used = " and ".join(sorted({way for reception in receptions for way in reception.ways}))
    fine = f"{len(addresses)} participants each received all others on {used} in {taken:.0f} s"
    return Finding(Verdict.PASS, fine, details, pictures)


def check_meeting(visit: Visit[MeetTarget]) -> Finding:
    """Three participants in a room of their own, by UDP."""
    return hold_meeting(visit.browser, visit.album, _invite(visit), relayed=False)


def check_relayed_meeting(visit: Visit[MeetTarget]) -> Finding:
    """The same where nothing but TLS gets out."""
    return hold_meeting(visit.browser, visit.album, _invite(visit), relayed=True)


def _invite(visit: Visit[MeetTarget]) -> list[str]:
    """Return the participants' addresses of a new room, of which nothing is left when they have gone."""
    room = visit.names.make()
    return [
        visit.target.invite(room, f"sovstack {number}") + _SETTINGS for number in range(1, PARTICIPANTS + 1)
    ]


def _complaints(participants: Sequence[Tab]) -> list[str]:
    said = dict.fromkeys(
        f"participant {number}'s browser: {complaint}"
        for number, tab in enumerate(participants, 1)
        for complaint in tab.complaints()
    )
    return list(said)[:20]


MEET_PROMISES: tuple[Promise[Visit[MeetTarget]], ...] = (
    Promise(
        "USE-MEET-UDP",
        "People in a meeting see and hear each other, directly",
        "Three browsers each receive two others' sound and picture over UDP, not relayed",
        "See that UDP 10000 reaches the videobridge at its public address; read its and jicofo's journals.",
        check_meeting,
    ),
    Promise(
        "USE-MEET-TURN",
        "People behind a firewall that lets only TLS out can meet, too",
        "Three browsers each receive two others' sound and picture, relayed by TURN over TLS and on no other way",
        "See that coturn answers with TLS, may reach the videobridge, and shares Prosody's secret; read its journal.",
        check_relayed_meeting,
    ),
)
