"""Meetings of three browsers, each of which receives the others: directly, through the relay, as from outside."""

from __future__ import annotations

from provisioner.checks.outside.promise import Finding, Promise
from provisioner.checks.use import meeting
from provisioner.checks.use.public import Outside
from provisioner.checks.use.target import MeetTarget, Participant
from provisioner.checks.use.visit import Visit


def check_meeting(visit: Visit[MeetTarget]) -> Finding:
    """A moderator and two guests in a room of their own, by UDP."""
    return meeting.hold(visit.browser, visit.album, _invite(visit)).judge()


def check_relayed_meeting(visit: Visit[MeetTarget]) -> Finding:
    """The same where nothing but TLS gets out."""
    return meeting.hold(visit.browser, visit.album, _invite(visit), relayed=True).judge()


def check_public_meeting(visit: Visit[MeetTarget]) -> Finding:
    """The same where a videobridge is known by its public addresses alone.

    Of several videobridges Jicofo chooses one, by how busy they are; of the others it is said that they were not it.
    """
    outside = Outside(visit.target.bridges)
    participants = _invite(visit)
    left = outside.shares(len(participants))
    return outside.judge(meeting.hold(visit.browser, visit.album, participants, through=left))


def _invite(visit: Visit[MeetTarget]) -> list[Participant]:
    """Return the participants of a new room, of which nothing is left when they have gone."""
    return list(visit.target.invite(visit.names.make()))


MEET_PROMISES: tuple[Promise[Visit[MeetTarget]], ...] = (
    Promise(
        "USE-MEET-UDP",
        "People in a meeting see and hear each other, directly",
        "A moderator and two guests, who wait in the lobby where there is one, each receive two others' sound and "
        "picture over UDP, not relayed",
        "See that UDP 10000 reaches the videobridge at its public address; read its and jicofo's journals.",
        check_meeting,
    ),
    Promise(
        "USE-MEET-TURN",
        "People behind a firewall that lets only TLS out can meet, too",
        "The same three each receive two others' sound and picture, relayed by TURN over TLS and on no other way",
        "See that coturn answers with TLS, may reach the videobridge, and shares Prosody's secret; read its journal.",
        check_relayed_meeting,
    ),
)
#: Where the profile names public addresses of videobridges.
PUBLIC_PROMISES: tuple[Promise[Visit[MeetTarget]], ...] = (
    Promise(
        "USE-MEET-PUBLIC",
        "People outside reach the videobridge at the public addresses of the profile",
        "Each public address is offered to browsers, and three of them, which know no other one, each receive two "
        "others' sound and picture through it",
        "Hold the host's public_addresses against its router's, see that this one leads UDP on media_port to "
        "the host, and apply. A network that leads no packet from inside back in (no hairpin NAT) fails as well: if "
        "this computer is inside, verify from one outside.",
        check_public_meeting,
    ),
)
