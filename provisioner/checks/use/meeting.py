"""A meeting, held as people do: guests come first and wait in the lobby, the moderator opens it, all meet."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from provisioner.checks.browser import Browser, BrowserFailed, Tab
from provisioner.checks.outside.promise import Finding
from provisioner.checks.result import Verdict
from provisioner.checks.use import media
from provisioner.checks.use.album import Album
from provisioner.checks.use.media import Reception
from provisioner.checks.use.target import Participant

SECONDS = 90
_LOAD_SECONDS = 60
_LOBBY_SECONDS = 45
_POLL_SECONDS = 2
#: Prflx and srflx are this computer's own addresses as the other end sees them.
DIRECT = ("host/udp", "prflx/udp", "srflx/udp")
RELAYED = ("relay/tls",)
# Over the videobridge also while only two are there. The page before the room stays: a client that an address tells to
# pass over it takes part without camera and microphone.
_SETTINGS = "#config.p2p.enabled=false&config.startWithAudioMuted=false"
# What a person fills in and presses on the pages before the room, while they are there.
_NAME = '#premeeting-name-input, [data-testid="lobby.nameField"]'
_ASKS_NAME = f"document.querySelector('{_NAME}')?.value === ''"
_JOIN = """document.querySelector('[data-testid="prejoin.joinMeeting"], [data-testid="lobby.knockButton"]')?.click()"""
_WAITS = "document.querySelector('.lobby-screen .joining-message') !== null"


@dataclass(frozen=True, slots=True)
class Meeting:
    """What came of a meeting.

    Attributes:
        who: The participants, as one calls them.
        waited: Those of them who were seen to wait in the lobby.
        receptions: What each of them received.
        problems: What is missing; empty when each received all others, in the order that the profile has.
        seconds: How long it took.
        details: What each received, in lines.
        pictures: Paths in the run's directory.
    """

    who: Sequence[str]
    waited: Sequence[str]
    receptions: Sequence[Reception]
    problems: Sequence[str]
    seconds: float
    details: str
    pictures: tuple[str, ...]

    def judge(self, problems: Sequence[str] = (), *, more: str = "") -> Finding:
        """Return what it means, with problems that were seen besides; ``more`` says how a success came about."""
        found = [*problems, *self.problems]
        if found:
            actual = f"after {self.seconds:.0f} s: {'; '.join(found)}"
            return Finding(Verdict.FAIL, actual, self.details, self.pictures)
        used = " and ".join(sorted({way for reception in self.receptions for way in reception.ways}))
        actual = f"{_list(self.who)} each received all others on {used}{more} in {self.seconds:.0f} s"
        if self.waited:
            actual += f"; {_list(self.waited)} waited in the lobby until the moderator came"
        return Finding(Verdict.PASS, actual, self.details, self.pictures)


class _Seat:
    """A participant before a browser."""

    def __init__(self, participant: Participant, tab: Tab) -> None:
        self.participant = participant
        self.tab = tab
        self.waited = False
        self.reception = Reception.read([])
        self._is_silent = False

    def come(self) -> None:
        self.tab.open(self.participant.address + _SETTINGS, _LOAD_SECONDS)

    def look(self) -> None:
        """Do what the page asks for, see whether it has them wait, and what they receive.

        Raises:
            BrowserFailed: It does not answer, for the second time: on a busy computer a page may once.
        """
        try:
            self._press_on()
            self.reception = Reception.read(self.tab.evaluate(media.ASK))
            self._is_silent = False
        except BrowserFailed:
            if self._is_silent:
                raise
            self._is_silent = True

    def _press_on(self) -> None:
        if self.tab.evaluate(_ASKS_NAME):
            self.tab.fill(_NAME, self.participant.name)
        self.tab.evaluate(_JOIN)
        self.waited = self.waited or bool(self.tab.evaluate(_WAITS))


def hold(
    browser: Browser,
    album: Album,
    participants: Sequence[Participant],
    *,
    relayed: bool = False,
    through: Sequence[Collection[str]] = (),
    seconds: float = SECONDS,
) -> Meeting:
    """Have participants meet, until each receives all others, or the time is over.

    Args:
        browser: Where they meet.
        album: Takes a picture of the meeting.
        participants: The moderator first, who comes last.
        relayed: Whether only TURN over TLS is left to them.
        through: For each participant the addresses of videobridges that are left to them; empty leaves all.
        seconds: How long they may take when all have come.
    """
    ways = RELAYED if relayed else DIRECT
    left = through or [()] * len(participants)
    with ExitStack() as tabs:
        seats = [_Seat(participant, tabs.enter_context(browser.tab())) for participant in participants]
        for seat, addresses in zip(seats, left, strict=True):
            seat.tab.inject(media.watch(relayed=relayed, through=addresses))
        _gather(seats, min(_LOBBY_SECONDS, seconds))
        started = time.monotonic()
        while True:
            for seat in seats:
                seat.look()
            receptions = [seat.reception for seat in seats]
            problems = [
                f"{seat.participant.who} lacks {', '.join(missing)}"
                for seat, reception, addresses in zip(seats, receptions, left, strict=True)
                if (missing := reception.missing(len(seats) - 1, ways, addresses))
            ]
            if not problems or time.monotonic() - started > seconds:
                break
            seats[0].tab.attend(_POLL_SECONDS)
        browser.servers.update(*(reception.servers for reception in receptions))
        kind = "turn" if relayed else "public" if through else "udp"
        pictures = (album.keep(f"meet-{kind}", seats[0].tab),)
        lines = [
            f"{seat.participant.who}: {reception}" for seat, reception in zip(seats, receptions, strict=True)
        ]
        details = "\n".join(lines + (_complaints(seats) if problems else []))
    problems += [
        f"{seat.participant.who} did not wait in the lobby"
        for seat in seats
        if seat.participant.waits and not seat.waited
    ]
    return Meeting(
        [seat.participant.who for seat in seats],
        [seat.participant.who for seat in seats if seat.waited],
        receptions,
        problems,
        time.monotonic() - started,
        details,
        pictures,
    )


def _gather(seats: Sequence[_Seat], seconds: float) -> None:
    """Have all come, the moderator only when those who have to wait were seen to wait, or the time is over."""
    moderator, *others = seats
    for seat in others:
        seat.come()
    until = time.monotonic() + seconds
    while not all(seat.waited for seat in others if seat.participant.waits) and time.monotonic() < until:
        for seat in others:
            seat.look()
        moderator.tab.attend(_POLL_SECONDS / 4)
    moderator.come()


def _complaints(seats: Sequence[_Seat]) -> list[str]:
    said = dict.fromkeys(
        f"{seat.participant.who}'s browser: {complaint}"
        for seat in seats
        for complaint in seat.tab.complaints()
    )
    return list(said)[:20]


def _list(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
