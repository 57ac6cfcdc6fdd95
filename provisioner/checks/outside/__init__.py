"""Probes from the controller: what users and strangers see of the deployment."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from functools import partial

from provisioner.checks.outside.certificate import CERTIFICATE_PROMISES
from provisioner.checks.outside.chat import CHAT_PROMISES, ChatTarget
from provisioner.checks.outside.files import FILES_PROMISES, FilesTarget
from provisioner.checks.outside.meet import MEET_PROMISES, MeetingsTarget
from provisioner.checks.outside.nextcloud import Client
from provisioner.checks.outside.portal import PORTAL_PROMISES, PortalTarget
from provisioner.checks.outside.ports import PORT_PROMISES
from provisioner.checks.outside.relay import MEDIA_PROMISES, RELAY_PROMISES, MediaTarget, RelayTarget
from provisioner.checks.outside.target import HostTarget, WebTarget
from provisioner.checks.outside.tls import TLS_PROMISES
from provisioner.checks.outside.web import WEB_PROMISES
from provisioner.checks.result import Check

__all__ = [
    "ChatTarget",
    "Client",
    "FilesTarget",
    "HostTarget",
    "MediaTarget",
    "MeetingsTarget",
    "PortalTarget",
    "RelayTarget",
    "WebTarget",
    "run",
]

_AT_ONCE = 6


def run(
    *,
    web: Sequence[WebTarget] = (),
    files: Sequence[FilesTarget] = (),
    chat: Sequence[ChatTarget] = (),
    meet: Sequence[MeetingsTarget] = (),
    relays: Sequence[RelayTarget] = (),
    media: Sequence[MediaTarget] = (),
    portal: Sequence[PortalTarget] = (),
    hosts: Sequence[HostTarget] = (),
) -> Generator[Check, None, None]:
    """Hold every promise against every target and yield each check as soon as it is known.

    Args:
        web: Web services: TLS, certificate, redirect, headers.
        files: Nextclouds: status, log-in, WebDAV round trip, background jobs. Their ``web`` is not in ``web``
            by itself.
        chat: Mattermosts: status, log-in, a message from one user to another, what strangers may.
        meet: Meetings: the page, and who comes in as what.
        relays: TURN servers: for whom and to whom they relay.
        media: Videobridges: their port.
        portal: Portals: their pages and security.txt.
        hosts: Hosts of ours: open TCP ports.

    What cannot be looked at is a check with verdict ``not_assessed``; nothing is raised for it.
    """
    pools: list[ThreadPoolExecutor] = []
    pending: list[Future[Check]] = []

    def submit(at_once: int, holds: Iterable[Callable[[], Check]]) -> None:
        pools.append(ThreadPoolExecutor(at_once, thread_name_prefix="probe"))
        pending.extend(pools[-1].submit(hold) for hold in holds)

    # One after another: Nextcloud 34 answers 500 to some of several first log-ins of a user at the same time.
    for cloud in files:
        submit(1, (partial(promise.hold, cloud, cloud.web.hostname) for promise in FILES_PROMISES))
    for server in chat:
        submit(1, (partial(promise.hold, server, server.web.hostname) for promise in CHAT_PROMISES))
    # One after another: Prosody limits how often one address comes in.
    for meetings in meet:
        submit(1, (partial(promise.hold, meetings, meetings.web.hostname) for promise in MEET_PROMISES))
    for relay in relays:
        submit(1, (partial(promise.hold, relay, relay.web.hostname) for promise in RELAY_PROMISES))
    submit(
        len(media) or 1,
        (partial(promise.hold, bridge, bridge.name) for bridge in media for promise in MEDIA_PROMISES),
    )
    submit(
        len(hosts) or 1,
        (partial(promise.hold, host, host.name) for host in hosts for promise in PORT_PROMISES),
    )
    submit(
        _AT_ONCE,
        (partial(promise.hold, one, one.web.hostname) for one in portal for promise in PORTAL_PROMISES),
    )
    web_promises = (*TLS_PROMISES, *CERTIFICATE_PROMISES, *WEB_PROMISES)
    submit(_AT_ONCE, (partial(promise.hold, one, one.hostname) for one in web for promise in web_promises))
    try:
        for done in as_completed(pending):
            yield done.result()
    finally:
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)
