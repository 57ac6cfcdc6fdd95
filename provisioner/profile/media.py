"""Where the sound and video of meetings pass: videobridges and the TURN server, and what they must not share.

A meeting's media go over UDP to a videobridge. Who sits in a network that lets no UDP out reaches it through the
TURN server, over TLS.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from provisioner.profile.finding import Finding, suggest
from provisioner.profile.model import Profile
from provisioner.profile.problem import Severity, ValuePath
from provisioner.profile.services import JitsiService

#: UDP, without TLS; the port that RFC 8656 gives to TURN.
TURN_PORT = 3478
_MEET: ValuePath = ("services", "meet")
_TURN: ValuePath = (*_MEET, "turn")


def turn_host(profile: Profile, service: JitsiService) -> str:
    """Return the key of the host that runs the TURN server."""
    return service.turn.host or profile.host_of(service)


def turn_hostname(profile: Profile, service: JitsiService) -> str:
    """Return the name under which participants reach the TURN server."""
    return profile.turn_hostname() or service.hostname


def videobridge_hosts(profile: Profile, service: JitsiService) -> tuple[str, ...]:
    """Return the keys of the hosts that run a videobridge."""
    return service.videobridges or (profile.host_of(service),)


def media_hosts(profile: Profile) -> tuple[str, ...]:
    """Return the keys of the hosts that carry media; none without meetings."""
    service = profile.services.meet
    if service is None:
        return ()
    return tuple(dict.fromkeys((*videobridge_hosts(profile, service), turn_host(profile, service))))


def hostnames(profile: Profile, host: str) -> list[str]:
    """Return the names, besides its site's, under which the parts of meetings find each other on a host."""
    service = profile.services.meet
    if service is None:
        return []
    signalling = [f"auth.{service.hostname}"] if host == profile.host_of(service) else []
    turn = profile.turn_hostname()
    return [*signalling, *([turn] if turn and host == turn_host(profile, service) else [])]


def answers_acme(profile: Profile, host: str) -> bool:
    """Whether a host answers an ACME authority by itself: it has a TURN server, and no web server that would."""
    service = profile.services.meet
    needs_certificate = service is not None and host == turn_host(profile, service)
    return profile.tls.issuer == "acme" and needs_certificate and not _sites_on(profile, host)


def check(profile: Profile) -> Iterator[Finding]:
    """Hold hosts, names and ports of media against the rest of the profile."""
    yield from _check_public_addresses(profile)
    service = profile.services.meet
    if service is None:
        return
    yield from _check_hosts(profile, service)
    yield from _check_turn_hostname(profile, service)
    yield from _check_ports(profile, service)


def _check_public_addresses(profile: Profile) -> Iterator[Finding]:
    for name, host in profile.hosts.items():
        path: ValuePath = ("hosts", name, "public_addresses")
        versions = [ip_address(address).version for address in host.public_addresses]
        if len(set(versions)) < len(versions):
            yield Finding(
                path, "names more than one address of one kind", "Keep at most one IPv4 and one IPv6 address."
            )
        if host.public_addresses and name not in media_hosts(profile):
            yield Finding(
                path,
                "is not used, because no media of meetings pass this host",
                "Remove it; what people reach by name is found through DNS.",
                Severity.WARNING,
                because=(("services",),),
                at_key=True,
            )


def _check_hosts(profile: Profile, service: JitsiService) -> Iterator[Finding]:
    named: list[tuple[ValuePath, str]] = [
        ((*_MEET, "videobridges", index), name) for index, name in enumerate(service.videobridges)
    ]
    if service.turn.host:
        named.append(((*_TURN, "host"), service.turn.host))
    for path, name in named:
        if name not in profile.hosts:
            yield Finding(
                path,
                f"there is no host {name}",
                suggest(name, profile.hosts) or f"Known hosts: {', '.join(profile.hosts)}.",
                because=(("hosts",),),
            )


def _check_turn_hostname(profile: Profile, service: JitsiService) -> Iterator[Finding]:
    """A TURN server elsewhere has a name of its own: the service's leads to the service's host."""
    elsewhere = turn_host(profile, service) != profile.host_of(service)
    if elsewhere and service.turn.hostname is None:
        yield Finding(
            (*_TURN, "host"),
            f"needs turn.hostname, because {service.hostname} leads to another host",
            f"Add hostname: turn.{profile.organisation.domain}, and have DNS lead it there.",
            because=((*_TURN, "hostname"), (*_MEET, "host"), ("hosts",)),
        )
    if not elsewhere and service.turn.hostname is not None:
        yield Finding(
            (*_TURN, "hostname"),
            f"is not used, because the TURN server runs on the service's own host, as {service.hostname}",
            "Remove it.",
            Severity.WARNING,
            because=((*_TURN, "host"), (*_MEET, "host"), ("hosts",)),
            at_key=True,
        )
    for site in profile.sites():
        if elsewhere and site.hostname == service.turn.hostname:
            yield Finding(
                (*_TURN, "hostname"),
                f"{site.hostname} is the host name of service {site.name} already",
                because=((*site.path, "hostname"), ("organisation", "domain")),
            )


def _check_ports(profile: Profile, service: JitsiService) -> Iterator[Finding]:
    """No two things listen on one port of one host."""
    name, tls_port = turn_host(profile, service), service.turn.tls_port
    host = profile.hosts.get(name)
    because: tuple[ValuePath, ...] = ((*_TURN, "host"), (*_MEET, "host"), ("hosts",))
    if tls_port in (80, 443) and (sites := _sites_on(profile, name)):
        yield Finding(
            (*_TURN, "tls_port"),
            f"{tls_port} is the web server's on host {name}, which serves {sites[0]}",
            "Choose 5349, or give the TURN server a host without sites (turn.host).",
            because=(*because, ("services",), ("portal",)),
        )
    elif tls_port == 80 and answers_acme(profile, name):
        yield Finding(
            (*_TURN, "tls_port"),
            f"80 is where an ACME authority asks host {name} for the answer to its challenge",
            "Choose 443 or 5349.",
            because=(*because, ("tls", "issuer")),
        )
    elif tls_port == TURN_PORT or (host and tls_port == host.ssh.port):
        other = "TURN's without TLS" if tls_port == TURN_PORT else "the SSH server's"
        yield Finding(
            (*_TURN, "tls_port"), f"{tls_port} is {other} on host {name}", "Choose 5349.", because=because
        )
    if service.media_port == TURN_PORT and name in videobridge_hosts(profile, service):
        yield Finding(
            (*_MEET, "media_port"),
            f"{TURN_PORT} is the TURN server's on host {name}",
            "Choose 10000.",
            because=(*because, (*_MEET, "videobridges")),
        )


def _sites_on(profile: Profile, host: str) -> list[str]:
    return [site.hostname for site in profile.sites() if profile.host_of(site) == host]
