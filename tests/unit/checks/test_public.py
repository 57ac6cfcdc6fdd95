"""What is said of a videobridge's public addresses, by what was offered in meetings and what came through."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from provisioner.checks.outside.promise import NoEvidence
from provisioner.checks.result import Verdict
from provisioner.checks.use import Videobridge, public
from provisioner.checks.use.media import Reception
from provisioner.checks.use.meeting import Meeting
from provisioner.checks.use.public import Outside

OUTSIDE, OUTSIDE6 = "203.0.113.7", "2001:db8::7"
MAIN = Videobridge("main", "10.0.0.5", (OUTSIDE, OUTSIDE6))
MEDIA1 = Videobridge("media1", "10.0.0.6", ("203.0.113.8",))
INNER = Videobridge("media2", "10.0.0.7")


@pytest.fixture(autouse=True)
def _everything_has_a_route(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public, "_leads_to", lambda address: True)


def meeting(offered: Sequence[str], *through: str, problems: Sequence[str] = ()) -> Meeting:
    receptions = [
        Reception(
            {}, 0, {"host/udp": 1} if through else {}, frozenset(), frozenset(offered), frozenset({end})
        )
        for end in through or ("",)
    ]
    return Meeting(["the moderator", "a guest"], ["a guest"], receptions, problems, 12.0, "", ("a.jpg",))


def test_participants_take_turns_with_the_addresses_of_each_videobridge() -> None:
    assert Outside([MAIN]).shares(3) == [[OUTSIDE], [OUTSIDE6], [OUTSIDE]]
    assert Outside([MAIN, MEDIA1, INNER]).shares(2) == [
        [OUTSIDE, "203.0.113.8", "10.0.0.7"],
        [OUTSIDE6, "203.0.113.8", "10.0.0.7"],
    ]


def test_addresses_that_are_offered_and_carry_media_pass() -> None:
    finding = Outside([MAIN]).judge(meeting(["10.0.0.5", OUTSIDE, OUTSIDE6], OUTSIDE, OUTSIDE6))
    assert finding.verdict is Verdict.PASS
    assert finding.actual == (
        "the moderator and a guest each received all others on host/udp through 2001:db8::7 and 203.0.113.7 of "
        "videobridge main in 12 s; a guest waited in the lobby until the moderator came"
    )


@pytest.mark.parametrize(
    ("offered", "said"),
    [
        (["10.0.0.5", "203.0.113.9"], "main offers 10.0.0.5, 203.0.113.9, and never 203.0.113.7 or 2001:db8::7 of"),
        (["10.0.0.5", OUTSIDE], "videobridge main offers 10.0.0.5, 203.0.113.7, and never 2001:db8::7 of the profile"),
        (["10.0.0.5", OUTSIDE, OUTSIDE6], "main offers 10.0.0.5, 2001:db8::7, 203.0.113.7; the moderator lacks it"),
        (["198.51.100.1"], "a videobridge that the profile does not know offers 198.51.100.1"),
        ([], "no videobridge offered an address"),
    ],
)  # fmt: skip
def test_what_is_offered_and_what_never_is_is_named(offered: list[str], said: str) -> None:
    finding = Outside([MAIN]).judge(meeting(offered, problems=["the moderator lacks it"]))
    assert finding.verdict is Verdict.FAIL
    assert said in finding.actual
    assert finding.screenshots == ("a.jpg",)


def test_an_address_that_is_not_offered_fails_though_all_receive_all() -> None:
    finding = Outside([MAIN]).judge(meeting(["10.0.0.5", OUTSIDE], OUTSIDE))
    assert finding.verdict is Verdict.FAIL


def test_a_videobridge_that_the_meeting_was_not_at_is_said() -> None:
    finding = Outside([MAIN, MEDIA1]).judge(meeting(["10.0.0.6", "203.0.113.8"], "203.0.113.8"))
    assert finding.verdict is Verdict.WARN
    assert "through 203.0.113.8 of videobridge media1" in finding.actual
    assert finding.actual.endswith(
        "the meeting was not at videobridge main, whose public addresses were not tried"
    )


def test_a_meeting_at_a_videobridge_without_public_addresses_says_nothing() -> None:
    with pytest.raises(NoEvidence, match="was at videobridge media2, not at videobridge main"):
        Outside([MAIN, INNER]).judge(meeting(["10.0.0.7"], "10.0.0.7"))


def test_an_address_to_which_this_computer_has_no_way_is_offered_and_not_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(public, "_leads_to", lambda address: ":" not in address)
    outside = Outside([MAIN])
    assert outside.shares(3) == [[OUTSIDE]] * 3
    finding = outside.judge(meeting(["10.0.0.5", OUTSIDE, OUTSIDE6], OUTSIDE))
    assert finding.verdict is Verdict.WARN
    assert finding.actual.endswith("2001:db8::7 was offered and not tried: this computer has no way to it")


def test_a_meeting_at_a_videobridge_to_which_there_is_no_way_is_no_failure_of_its(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(public, "_leads_to", lambda address: address != "203.0.113.8")
    with pytest.raises(NoEvidence, match="at videobridge media1, and this computer has no way to"):
        Outside([MAIN, MEDIA1]).judge(meeting(["10.0.0.6", "203.0.113.8"], problems=["nobody hears"]))


def test_without_a_way_to_any_address_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public, "_leads_to", lambda address: False)
    with pytest.raises(NoEvidence, match=r"no way to 203\.0\.113\.7, 2001:db8::7"):
        Outside([MAIN])
