"""What the deepest level of verification is pointed at follows from the profile and from what was installed."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from provisioner.checks.infra import Machine
from provisioner.checks.outside import ChatTarget, WebTarget
from provisioner.checks.use import Suite
from provisioner.deployment import acceptance
from provisioner.profile.load import read_content
from provisioner.profile.secrets import Secret
from provisioner.reporting.report import ReleaseRecord

BASE = (Path(__file__).parents[2] / "cases/profile_base.yml").read_text()
CHAT = "  chat:\n    app: mattermost\n    hostname: chat.zonnedael.example\n"
MEET = "  meet:\n    app: jitsi\n    hostname: meet.zonnedael.example\n"


def look(
    tmp_path: Path, *, releases: tuple[ReleaseRecord, ...] = (), meet: str = "", host: str = ""
) -> Suite:
    files = "  files:\n    app: nextcloud\n    hostname: cloud.zonnedael.example\n"
    text = BASE.replace(files, files + CHAT + MEET + meet)
    text = re.sub(
        r"^( +)address: .*\n", rf"\g<0>\1{host}\n" if host else r"\g<0>", text, count=1, flags=re.MULTILINE
    )
    profile = read_content("profile.yml", text.encode(), tmp_path).profile
    session: Any = SimpleNamespace(
        profile=profile,
        recorder=SimpleNamespace(releases=releases),
        run=SimpleNamespace(directory=tmp_path, scratch=tmp_path),
        workspace=SimpleNamespace(directory=tmp_path),
    )
    web = {site.name: WebTarget(site.hostname, "10.77.0.11") for site in profile.sites()}
    chat = [ChatTarget(web["chat"], "admin", Secret("m"))]
    machines = [Machine(name, (), {}) for name in profile.hosts]
    return acceptance.suite(session, web, [], chat, [], machines, (), {"jitsi_app_secret": Secret("k" * 32)})


def test_participants_are_invited_by_signed_links_and_relayed_where_the_profile_says(tmp_path: Path) -> None:
    suite = look(tmp_path)
    assert suite.meet
    assert (suite.meet.relay.hostname, suite.meet.relay.address, suite.meet.relay.port) == (
        "meet.zonnedael.example",
        "10.77.0.11",
        5349,
    )
    for participant, moderator in zip(suite.meet.invite("sovstack-use-1")[:2], (True, False), strict=True):
        address, _, token = participant.address.partition("?jwt=")
        assert address == "https://meet.zonnedael.example/sovstack-use-1"
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        assert claims["room"] == "sovstack-use-1"
        assert claims["context"]["user"]["moderator"] is moderator
        assert claims["exp"] - claims["nbf"] < 3600


@pytest.mark.parametrize(
    ("guests", "lobby", "others"),
    [
        (True, True, {"a guest with a link": True, "a guest without a link": True}),
        (True, False, {"a guest with a link": False, "a guest without a link": False}),
        (False, True, {"a guest with a link": True, "another guest with a link": True}),
        (False, False, {"a guest with a link": False, "another guest with a link": False}),
    ],
)
def test_who_takes_part_and_who_waits_is_as_the_profile_has_it(
    tmp_path: Path, guests: bool, lobby: bool, others: dict[str, bool]
) -> None:
    suite = look(tmp_path, meet=f"    guests: {str(guests).lower()}\n    lobby: {str(lobby).lower()}\n")
    assert suite.meet
    first, *rest = suite.meet.invite("sovstack-use-1")
    assert (first.who, first.waits) == ("the moderator", False)
    assert {participant.who: participant.waits for participant in rest} == others
    assert [participant.who for participant in rest if "jwt=" not in participant.address] == (
        ["a guest without a link"] if guests else []
    )


@pytest.mark.parametrize("public", [(), ("203.0.113.7", "2001:db8::7")])
def test_public_addresses_of_videobridges_are_known(tmp_path: Path, public: tuple[str, ...]) -> None:
    suite = look(tmp_path, host=f"public_addresses: {json.dumps(public)}")
    assert suite.meet
    assert suite.meet.is_public is bool(public)
    assert [(bridge.name, bridge.public) for bridge in suite.meet.bridges] == [("main", public)]


@pytest.mark.parametrize(
    ("name", "doubles"),
    [
        ("mattermost", {"chat": "mattermost"}),
        # One package of several is enough.
        ("jitsi-meet-web", {"meet": "jitsi"}),
    ],
)
def test_a_double_of_any_part_is_known(tmp_path: Path, name: str, doubles: dict[str, str]) -> None:
    releases = (ReleaseRecord(name, "1", "double", ""), ReleaseRecord("nextcloud", "1", "cache", ""))
    assert look(tmp_path, releases=releases).doubles == doubles


def test_chat_is_cleared_on_its_own_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        acceptance.infra, "command", lambda machine, line, ssh: (0, f"{machine.name}: {line}")
    )
    suite = look(tmp_path)
    assert suite.chat
    assert suite.chat.run("true") == (0, "main: true")


def test_the_owner_is_the_same_for_every_run(tmp_path: Path) -> None:
    assert look(tmp_path).owner == look(tmp_path).owner
    assert look(tmp_path).owner.isalnum()
