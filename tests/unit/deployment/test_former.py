"""What the hosts carried before: data are not left behind in silence, nor what a profile names no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner import inventory
from provisioner.deployment import former, steps
from provisioner.deployment.session import Session
from provisioner.engine import connection, events
from provisioner.engine.connection import Contact
from provisioner.engine.declaration import Declaration, parse
from provisioner.errors import ExitCode
from provisioner.profile import Profile, read_profile
from provisioner.reporting import writers
from provisioner.reporting.report import Recorder

SPLIT = Path(__file__).parents[3] / "inventories" / "split"  # chat is on apps
CHAT = Declaration(("base", "mattermost"))
LEFT = Declaration(("base",), ("mattermost",))
BARE = Declaration()


@pytest.fixture(scope="module")
def split() -> Profile:
    return read_profile(SPLIT).profile


@pytest.mark.parametrize(
    ("media", "apps", "sentences"),
    [
        (BARE, BARE, 0),
        (CHAT, BARE, 1),
        (LEFT, BARE, 1),  # taken out of the profile, and put in again on another host
        (LEFT, CHAT, 0),  # moved before
        (CHAT, LEFT, 1),  # moved there, and back again
        (LEFT, LEFT, 0),  # moved before, taken out of the profile, and put in again
        (CHAT, CHAT, 0),  # cut off in the middle of a move
        (BARE, LEFT, 0),
    ],
)
def test_service_does_not_come_up_empty_beside_its_data(
    split: Profile, media: Declaration, apps: Declaration, sentences: int
) -> None:
    found = list(former.moved(split, {"media": media, "apps": apps, "data": BARE}))
    assert len(found) == sentences
    assert all(
        sentence.startswith("chat has its data on media and would begin empty on apps") for sentence in found
    )


@pytest.mark.parametrize("text", ["", "bare", "[]", '{"units": []}', '{"roles": {}, "retired": 1}'])
def test_declaration_that_says_nothing_of_roles(text: str) -> None:
    assert parse(text) == BARE


def test_declaration_is_read_with_whatever_follows() -> None:
    declared = parse('{"roles": ["base"],"retired": {"roles": ["mattermost"],"units": []}} # by hand')
    assert declared == LEFT
    assert declared.present == ("base", "mattermost")


def test_first_contact_tells_what_was_recorded(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    [main] = steps.targets(session.profile)
    contacts = [Contact(main, "Debian", 4096, deployed=True, declared=LEFT)]
    monkeypatch.setattr(connection, "connect", lambda *arguments: contacts)
    with session:
        assert steps.connect(session).declared == {"main": LEFT}


def test_role_that_the_profile_names_no_more_is_a_note(session: Session) -> None:
    with session:
        former.refuse_moved(session, {"main": Declaration(("base", "coldfusion"), ("gopher",))})
        former.note_retired(session, {"main": Declaration(("base", "coldfusion"), ("gopher",))})
    assert session.report.exit_code == ExitCode.DONE
    [note] = [text for text in session.report.notes if "no longer" in text]
    assert note.startswith("main: the profile no longer names coldfusion here")


def leave(session: Session, run: str, phase: str, hosts: dict[str, str], *, failed: bool = False) -> None:
    """Leave the report of an earlier run."""
    recorder = Recorder()
    recorder.add(events.PhaseStarted(time=1.0, phase=phase))
    recorder.add(events.PhaseFinished(time=2.0, phase=phase, failed=failed))
    report = recorder.report(
        deployment="lab",
        organisation="o",
        run=run,
        verb=run.partition("-")[2],
        directory="",
        started=1.0,
        ended=2.0,
        hosts=hosts,
        versions={},
        digests={},
    )
    writers.write_all(report, session.workspace.runs_directory / run)


def test_host_that_left_the_profile_is_a_note(session: Session) -> None:
    leave(session, "20260101T000000-apply", "converge", {"old": "192.0.2.9"})
    # Renamed, but the same one; and a run that was cut off put something there all the same.
    [address] = [host.address for host in session.profile.hosts.values()]
    leave(
        session, "20260102T000000-apply", "converge", {"renamed": address, "gone": "192.0.2.8"}, failed=True
    )
    leave(session, "20260103T000000-plan", "predict", {"main": address})
    leave(session, "20260104T000000-apply", "connect", {"main": address}, failed=True)
    with session:
        former.note_left(session)
    [note] = session.report.notes
    assert note.startswith("gone (192.0.2.8) is in the profile no more")


def test_host_that_has_another_address_is_a_note(session: Session) -> None:
    [name] = session.profile.hosts
    leave(session, "20260101T000000-apply", "converge", {name: "192.0.2.9"})
    with session:
        former.note_left(session)
    [note] = session.report.notes
    assert note.startswith(f"{name} (192.0.2.9) has another address in the profile now: ")


def test_host_that_was_emptied_is_none(session: Session) -> None:
    leave(session, "20260101T000000-apply", "converge", {"gone": "192.0.2.8"})
    leave(session, "20260102T000000-destroy", "remove", {"gone": "192.0.2.8"})
    with session:
        former.note_left(session)
    assert session.report.notes == ()


def test_refusal_says_that_nothing_was_changed(session: Session, split: Profile) -> None:
    session.profile = split
    with session:
        former.refuse_moved(session, {"media": CHAT, "apps": BARE})
    assert session.report.exit_code == ExitCode.HOST_FAILED
    assert session.report.error
    assert "--moved-by-hand" in (session.report.error.hint or "")


def test_inventory_of_a_removal_has_what_was_there_before(split: Profile) -> None:
    releases = steps.name_releases(split)
    groups = inventory.build(
        split, releases, deployment="x", present={"media": ("mattermost", "base")}
    ).groups
    assert groups["role_mattermost"] == ("apps", "media")
    assert groups["role_base"] == ("data", "apps", "media")
