"""Whether people outside reach a videobridge: at the public addresses of the profile, and at no other ones."""

from __future__ import annotations

import socket
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace

from provisioner.checks.outside.promise import Finding, NoEvidence
from provisioner.checks.result import Verdict
from provisioner.checks.use.media import plain
from provisioner.checks.use.meeting import Meeting
from provisioner.checks.use.target import Videobridge


class Outside:
    """The public addresses of videobridges, as a meeting can try them from this computer."""

    def __init__(self, bridges: Sequence[Videobridge]) -> None:
        """Find out which ones it has a way to.

        Raises:
            NoEvidence: This computer has no way to any of the public addresses, as without IPv6 to IPv6 ones.
        """
        self._bridges = bridges
        public = [address for bridge in bridges for address in bridge.public]
        self._untried = [address for address in public if not _leads_to(address)]
        if self._untried == public:
            raise NoEvidence(f"this computer has no way to {', '.join(public)}")

    def shares(self, count: int) -> list[list[str]]:
        """Return for each participant the one address of each videobridge that is left to them.

        A browser takes whichever address answers first. So they take turns, and none stays untried.
        """
        ends = [
            [address for address in bridge.public or (bridge.address,) if address not in self._untried]
            for bridge in self._bridges
        ]
        return [[end[number % len(end)] for end in ends if end] for number in range(count)]

    def judge(self, meeting: Meeting) -> Finding:
        """Judge a meeting that was held through these addresses alone.

        Raises:
            NoEvidence: It was at a videobridge that has none, or none to which this computer has a way.
        """
        offered = frozenset[str]().union(*(reception.offered for reception in meeting.receptions))
        seen = [bridge for bridge in self._bridges if offered & _ends(bridge)]
        never = [address for bridge in seen for address in bridge.public if plain(address) not in offered]
        public = [address for bridge in seen for address in bridge.public]
        if public and not never and set(public) <= set(self._untried):
            raise NoEvidence(
                f"the meeting was at {_names(seen)}, and this computer has no way to {', '.join(public)}"
            )
        if meeting.problems or never or not seen:
            return meeting.judge([_complain(offered, seen, never)])
        unseen = [bridge for bridge in self._bridges if bridge.public and bridge not in seen]
        if not public:
            raise NoEvidence(f"the meeting was at {_names(seen)}, not at {_names(unseen)}")
        reserves = [
            f"{address} was offered and not tried: this computer has no way to it"
            for address in public
            if address in self._untried
        ]
        if unseen:
            reserves.append(f"the meeting was not at {_names(unseen)}, whose public addresses were not tried")
        used = sorted({address for reception in meeting.receptions for address in reception.through})
        finding = meeting.judge(more=f" through {' and '.join(used)} of {_names(seen)}")
        return replace(
            finding,
            verdict=Verdict.WARN if reserves else Verdict.PASS,
            actual="; ".join([finding.actual, *reserves]),
        )


def _complain(offered: Collection[str], seen: Sequence[Videobridge], never: Sequence[str]) -> str:
    if not offered:
        return "no videobridge offered an address"
    what = f"{_names(seen) or 'a videobridge that the profile does not know'} offers {', '.join(sorted(offered))}"
    return f"{what}, and never {' or '.join(never)} of the profile" if never else what


def _ends(bridge: Videobridge) -> frozenset[str]:
    return frozenset(map(plain, (bridge.address, *bridge.public)))


def _names(bridges: Sequence[Videobridge]) -> str:
    return " and ".join(f"videobridge {bridge.name}" for bridge in bridges)


def _leads_to(address: str) -> bool:
    """Whether this computer has a route to an address. Nothing is sent."""
    with (
        suppress(OSError),
        socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe,
    ):
        probe.connect((address, 9))
        return True
    return False
