"""In which order people come to a meeting, and what a page that does not answer means for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from provisioner.checks.browser import BrowserFailed
from provisioner.checks.result import Verdict
from provisioner.checks.use import Participant, meeting
from provisioner.checks.use.album import Album
from provisioner.checks.use.media import ASK

PEOPLE = (
    Participant("the moderator", "M", "https://meet.example/m"),
    Participant("a guest", "G", "https://meet.example/g", waits=True),
)


class Page:
    """A participant's page: asks for a name, has guests wait, and shows all to each when all are there."""

    def __init__(self, house: House) -> None:
        self.house, self.name, self.address, self.silences = house, "", "", 0

    def inject(self, script: str) -> None:
        assert "RTCPeerConnection" in script

    def open(self, url: str, seconds: float) -> None:
        self.address = url.partition("#")[0]
        self.house.came.append(self.address)

    def fill(self, selector: str, text: str) -> None:
        self.name = text

    def attend(self, seconds: float) -> None:
        pass

    def complaints(self) -> list[str]:
        return ["GET https://meet.example/x failed"]

    def picture(self) -> bytes:
        return b"jpeg"

    def evaluate(self, expression: str) -> Any:
        if self.silences:
            self.silences -= 1
            raise BrowserFailed("Runtime.evaluate is not answered within 30 seconds")
        is_open = PEOPLE[0].address in self.house.came
        if "value ===" in expression:
            return not self.name
        if "lobby-screen" in expression:
            return self.house.has_lobby and bool(self.name) and not is_open
        if expression != ASK or not is_open:
            return [] if expression == ASK else None
        stats = [
            {"id": "a", "type": "inbound-rtp", "kind": "audio", "bytesReceived": 90_000},
            {"id": "v", "type": "inbound-rtp", "kind": "video", "bytesReceived": 90_000},
            {"id": "t", "type": "transport", "bytesReceived": 90_000, "selectedCandidatePairId": "p"},
            {"id": "p", "type": "candidate-pair", "localCandidateId": "l"},
            {"id": "l", "type": "local-candidate", "candidateType": "host", "protocol": "udp"},
        ]
        return [{"servers": ["stun:meet.example"], "offered": ["192.0.2.7"], "stats": stats}]


class House:
    """A browser, and the room in it."""

    def __init__(self, *, has_lobby: bool = True, silences: int = 0) -> None:
        self.came: list[str] = []
        self.servers: set[str] = set()
        self.has_lobby, self.silences = has_lobby, silences

    @contextmanager
    def tab(self) -> Iterator[Page]:
        page = Page(self)
        page.silences, self.silences = self.silences, 0
        yield page


def hold(house: Any, tmp_path: Path) -> meeting.Meeting:
    return meeting.hold(house, Album(tmp_path), PEOPLE, seconds=0.2)


def test_the_moderator_comes_when_the_guests_wait(tmp_path: Path) -> None:
    house = House()
    held = hold(house, tmp_path)
    assert house.came == ["https://meet.example/g", "https://meet.example/m"]
    assert house.servers == {"stun:meet.example"}
    finding = held.judge()
    assert finding.verdict is Verdict.PASS
    assert finding.actual == (
        "the moderator and a guest each received all others on host/udp in 0 s; "
        "a guest waited in the lobby until the moderator came"
    )


def test_who_comes_in_without_waiting_is_a_finding(tmp_path: Path) -> None:
    finding = hold(House(has_lobby=False), tmp_path).judge()
    assert finding.verdict is Verdict.FAIL
    assert finding.actual == "after 0 s: a guest did not wait in the lobby"


def test_a_page_may_be_silent_once(tmp_path: Path) -> None:
    assert hold(House(silences=1), tmp_path).judge().verdict is Verdict.PASS


def test_a_page_that_stays_silent_is_no_evidence(tmp_path: Path) -> None:
    with pytest.raises(BrowserFailed, match="not answered"):
        hold(House(silences=2), tmp_path)
