"""What a verification of use judges: statistics of calls, requests of pages, names of throw-away users."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from provisioner.checks import use
from provisioner.checks.browser import BrowserFailed, Request, chromium, start
from provisioner.checks.browser.tab import _without_query
from provisioner.checks.outside import ChatTarget, Client, FilesTarget, PortalTarget, WebTarget
from provisioner.checks.outside.promise import NoEvidence
from provisioner.checks.result import Verdict
from provisioner.checks.use import ChatHost, MeetTarget, Suite, Videobridge
from provisioner.checks.use.media import Reception
from provisioner.checks.use.meeting import DIRECT, RELAYED
from provisioner.checks.use.names import PREFIX, Names
from provisioner.checks.use.pages import judge_requests

OWN = ("cloud.zonnedael.example", "turn.zonnedael.example")


def connection(
    *streams: tuple[str, int],
    kind: str = "host",
    bytes_received: int = 90_000,
    remote: str = "192.0.2.7",
    **local: str,
) -> dict[str, Any]:
    """Return what Chromium says of a connection: its streams, and the candidate that carries them."""
    inbound = [
        {"id": f"in{number}", "type": "inbound-rtp", "kind": name, "bytesReceived": size, "framesDecoded": 7}
        for number, (name, size) in enumerate(streams)
    ]
    return {
        "servers": ["turns:turn.zonnedael.example:5349?transport=tcp"],
        "offered": ["192.0.2.7", "2001:db8::7"],
        "stats": [
            *inbound,
            {"id": "t", "type": "transport", "bytesReceived": bytes_received, "selectedCandidatePairId": "p"},
            {"id": "p", "type": "candidate-pair", "localCandidateId": "l", "remoteCandidateId": "r"},
            {"id": "r", "type": "remote-candidate", "address": remote},
            {"id": "other", "type": "local-candidate", "candidateType": "host", "protocol": "udp"},
            {"id": "l", "type": "local-candidate", "candidateType": kind, **({"protocol": "udp"} | local)},
        ],
    }


FULL = (("audio", 9_000), ("audio", 8_000), ("video", 90_000), ("video", 80_000))


@pytest.mark.parametrize(
    ("seen", "ways"),
    [
        ([connection(*FULL)], DIRECT),
        ([connection(*FULL[:2]), connection(*FULL[2:], kind="prflx")], DIRECT),
        ([connection(*FULL, kind="relay", relayProtocol="tls")], RELAYED),
        # Behind NAT the videobridge sees the TURN server at another address than the browser was told.
        ([connection(*FULL, kind="prflx", relayProtocol="tls")], RELAYED),
    ],
    ids=["one", "two", "relay", "relay behind NAT"],
)
def test_who_receives_all_others_on_the_way_that_is_wanted_lacks_nothing(
    seen: list[dict[str, Any]], ways: tuple[str, ...]
) -> None:
    assert Reception.read(seen).missing(2, ways) == []


@pytest.mark.parametrize(
    ("seen", "ways", "said"),
    [
        ([], DIRECT, "no connection"),
        ([connection(*FULL[1:])], DIRECT, "audio of 1 of 2 others"),
        ([connection(*FULL[:3], ("video", 19_999))], DIRECT, "video of 1 of 2 others"),
        ([connection(*FULL, kind="relay", relayProtocol="tls")], DIRECT, "media on relay/tls"),
        ([connection(*FULL, kind="prflx", relayProtocol="udp")], DIRECT, "media on relay/udp"),
        ([connection(*FULL, protocol="tcp")], DIRECT, "media on host/tcp"),
        ([connection(*FULL)], RELAYED, "media on host/udp, not on relay/tls"),
        ([connection(*FULL, kind="relay", relayProtocol="udp")], RELAYED, "media on relay/udp"),
        ([connection(*FULL, kind="relay", relayProtocol="tcp")], RELAYED, "media on relay/tcp"),
        # A relay whose own side is UDP, and nothing said of how it is reached.
        ([connection(*FULL, kind="relay")], RELAYED, "media on relay/unknown"),
        (
            [connection(*FULL, kind="relay", relayProtocol="tls"), connection()],
            RELAYED,
            "media on host/udp",
        ),
        ([connection(*FULL, bytes_received=0)], DIRECT, "no connection"),
    ],
)
def test_what_is_missing_or_on_another_way_is_named(
    seen: list[dict[str, Any]], ways: tuple[str, ...], said: str
) -> None:
    assert any(said in problem for problem in Reception.read(seen).missing(2, ways))


@pytest.mark.parametrize(
    ("remote", "through", "said"),
    [
        ("192.0.2.7", ["192.0.2.7"], []),
        ("2001:db8:0:0:0:0:0:7", ["2001:DB8::7"], []),
        ("10.0.0.5", ["192.0.2.7"], ["media through 10.0.0.5, not through 192.0.2.7"]),
        # Browsers do not tell an address that nobody told them.
        ("", ["192.0.2.7"], ["media through an address that was not offered, not through 192.0.2.7"]),
    ],
)
def test_media_through_another_address_of_the_videobridge_are_named(
    remote: str, through: list[str], said: list[str]
) -> None:
    assert Reception.read([connection(*FULL, remote=remote)]).missing(2, DIRECT, through) == said


def test_a_connection_that_does_not_come_about_is_named_with_the_address_that_was_left() -> None:
    missing = Reception.read([connection(bytes_received=0)]).missing(2, DIRECT, ["192.0.2.7"])
    assert "a connection through 192.0.2.7" in missing


def browser(*urls: str, servers: tuple[str, ...] = ()) -> Any:
    return SimpleNamespace(
        requests=[Request(url, "https://cloud.zonnedael.example/login") for url in urls], servers=set(servers)
    )


def test_requests_to_the_deployment_pass() -> None:
    seen = browser(
        "https://cloud.zonnedael.example/a?b",
        "wss://cloud.zonnedael.example/socket",
        "data:image/png;base64,AAAA",
        "blob:https://cloud.zonnedael.example/1",
        servers=("turns:turn.zonnedael.example:5349?transport=tcp", "stun:turn.zonnedael.example"),
    )
    finding = judge_requests(seen, OWN)
    assert finding.verdict is Verdict.PASS
    assert finding.actual.startswith("2 requests and 2 servers")


@pytest.mark.parametrize(
    ("url", "server", "said"),
    [
        (
            "https://www.gravatar.com/avatar/1?s=2",
            "",
            "www.gravatar.com (https://cloud.zonnedael.example/login)",
        ),
        ("wss://push.vendor.example/", "", "push.vendor.example"),
        ("https://cloud.zonnedael.example.evil.example/", "", "cloud.zonnedael.example.evil.example"),
        (
            "",
            "stun:meet-jit-si-turnrelay.jitsi.net:443",
            "stun:meet-jit-si-turnrelay.jitsi.net:443 for calls",
        ),
    ],
)
def test_a_third_party_is_a_finding(url: str, server: str, said: str) -> None:
    asked = [address for address in ("https://cloud.zonnedael.example/", url) if address]
    finding = judge_requests(browser(*asked, servers=(server,) if server else ()), OWN)
    assert finding.verdict is Verdict.FAIL
    assert said in finding.actual
    assert "s=2" not in finding.actual


def test_no_request_is_no_evidence() -> None:
    with pytest.raises(NoEvidence):
        judge_requests(browser("about:blank"), OWN)


def test_names_are_unique_and_recognisable() -> None:
    names = Names("ab12cd")
    made = {names.make() for _ in range(50)}
    assert len(made) == 50
    assert all(name.startswith(PREFIX) and len(name) <= 40 for name in made)


@pytest.mark.parametrize(
    ("name", "left_over"),
    [
        (f"{PREFIX}ab12cd-{int(time.time())}-00000000", True),
        (f"{PREFIX}ffffff-{int(time.time())}-00000000", False),
        (f"{PREFIX}ffffff-{int(time.time()) - 7200}-00000000", True),
        (f"{PREFIX}ab12cd", False),
        (f"{PREFIX}ab12cd-van-dijk", False),
        ("sovstack-check-reader", False),
        ("admin", False),
    ],
    ids=[
        "ours",
        "another's",
        "another's, old",
        "without a time",
        "a person's",
        "a lasting user's",
        "the administrator's",
    ],
)
def test_left_over_is_ours_at_once_and_anothers_after_an_hour(name: str, left_over: bool) -> None:
    assert Names("ab12cd").is_left_over(name) is left_over


def test_what_is_told_of_an_address_has_no_token_in_it() -> None:
    said = "GET https://meet.zonnedael.example/room?jwt=ey.ey.x#config.a=1 failed (404)?"
    assert _without_query(said) == "GET https://meet.zonnedael.example/room failed (404)?"


class Unopened:
    """What answers nothing: a probe that touches it would not be ``not_assessed`` but broken."""

    def reveal(self) -> str:
        raise AssertionError("a password was asked for")


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    web = {
        name: WebTarget(f"{name}.zonnedael.example", "127.0.0.1", port=1)
        for name in ("files", "chat", "meet", "portal")
    }
    return Suite(
        web=web,
        doubles={"files": "nextcloud", "chat": "mattermost", "meet": "jitsi"},
        files=FilesTarget(web["files"], Client(web["files"], "admin", Unopened())),
        chat=ChatHost(ChatTarget(web["chat"], "admin", Unopened()), lambda line: pytest.fail(line)),
        meet=MeetTarget(
            web["meet"],
            lambda room: pytest.fail(room),
            web["meet"],
            (Videobridge("main", "10.0.0.5", ("192.0.2.7",)),),
        ),
        portal=PortalTarget(web["portal"], ("nl",), ()),
        owner="ab12cd",
        directory=tmp_path,
        scratch=tmp_path,
    )


def test_nothing_is_said_of_a_double_and_nothing_passes_without_a_browser(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chromium, "PROGRAMS", ("no-such-browser",))
    checks = list(use.run(suite))
    assert {check.verdict for check in checks} == {Verdict.NOT_ASSESSED}
    assert [check.id for check in checks] == [
        "USE-FILES-SHARE", "USE-FILES-PAGE", "USE-CHAT-POST", "USE-CHAT-PAGE", "USE-MEET-UDP", "USE-MEET-TURN",
        "USE-MEET-PUBLIC", "USE-PORTAL-PAGE", "USE-PORTAL-ACCESSIBLE", "USE-BROWSER-REQUESTS",
    ]  # fmt: skip
    assert all("a contract double stands in for" in check.actual for check in checks[:-3])
    assert all("apt install chromium" in check.actual for check in checks[-3:])


def test_a_browser_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(chromium, "PROGRAMS", ("no-such-browser",))
    with pytest.raises(BrowserFailed, match="there is no Chromium"), start(tmp_path, {}, []):
        pass


def test_a_browser_that_does_not_start_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(chromium, "PROGRAMS", ("false",))
    with pytest.raises(BrowserFailed, match="does not start"), start(tmp_path, {}, []):
        pass
