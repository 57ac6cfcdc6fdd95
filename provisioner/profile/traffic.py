"""Which hosts have to reach each other, and whether their addresses let them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import NamedTuple

from provisioner.profile import media, platform
from provisioner.profile.finding import Finding
from provisioner.profile.model import Profile
from provisioner.profile.problem import ValuePath

_WORDS = {"database": "database", "cache": "key-value store"}


class _Traffic(NamedTuple):
    """What one host asks another for, and which value of the profile has it there."""

    client: str
    server: str
    what: str
    because: ValuePath


def check(profile: Profile) -> Iterator[Finding]:
    """Hosts that have to reach each other have addresses of one family; a host is asked at no other."""
    told = set()
    for traffic in _traffic(profile):
        client, server = (profile.hosts.get(name) for name in (traffic.client, traffic.server))
        if client is None or server is None or (traffic.client, traffic.server) in told:
            continue
        own, other = ip_address(client.address), ip_address(server.address)
        if own.version != other.version:
            told.add((traffic.client, traffic.server))
            yield Finding(
                ("hosts", traffic.client, "address"),
                f"cannot reach the {traffic.what} on host {traffic.server}: {own} is an IPv{own.version} address, "
                f"{other} an IPv{other.version} one",
                "Give both hosts an address of one family.",
                because=(("hosts", traffic.server, "address"), traffic.because, ("services",)),
            )


def _traffic(profile: Profile) -> Iterator[_Traffic]:
    for link in platform.links(profile):
        because = ("platform", link.part, "host")
        yield _Traffic(link.client, link.server, f"{_WORDS[link.part]} of {link.app}", because)
    if meet := profile.services.meet:
        home = profile.host_of(meet)
        for bridge in media.videobridge_hosts(profile, meet):
            if bridge != home:
                because = ("services", "meet", "videobridges")
                yield _Traffic(bridge, home, "signalling of meetings (Prosody)", because)
