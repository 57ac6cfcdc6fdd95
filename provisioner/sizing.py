"""How a host's memory is divided among the services that it carries. Pure.

Every service gets what its users need (``least``); of what is left, each gets its share up to what it can use
(``most``), and the rest stays with the kernel, whose file cache serves all of them. A host that has less than all
the least amounts together is too small. Amounts are megabytes of 2^20 bytes.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

_STEP = 16  # budgets are multiples of it, so that a kernel's update that changes a host's memory a bit restarts nothing
_HOST_STEP = 256  # hosts are offered in such steps, or coarser ones
# A kernel keeps some of the memory for itself before it counts: /proc/meminfo shows 95 to 98 % of what was bought.
_VISIBLE = 0.95
_WORKER = 100  # one PHP worker of Nextcloud in the long run; `php_fpm_worker_megabytes`
_OPCACHE = 256  # what all PHP workers share; `php_fpm_opcache_megabytes`
_JVM = 256  # of a Java program besides its heap: code, threads, buffers
_BACKEND = 5  # one connection of PostgreSQL before it sorts anything
#: PostgreSQL's connections for administrators, jobs and backups.
_RESERVED_CONNECTIONS = 20


@dataclass(frozen=True, slots=True)
class Need:
    """What a service makes of memory.

    Attributes:
        least: Megabytes without which it does not serve the users.
        most: Megabytes beyond which more brings nothing.
        share: Its part of what is left on the host, against the shares of the others.
        why: How least and most come about.
        source: Who says so.
    """

    least: int
    most: int
    share: int
    why: str
    source: str


@dataclass(frozen=True, slots=True)
class Allotment:
    """What one service of a host gets, in megabytes, and why it needs at least so much."""

    service: str
    megabytes: int
    least: int
    why: str


@dataclass(frozen=True, slots=True)
class Budget:
    """The division of one host.

    Attributes:
        host: Its name in the profile.
        users: How many people the deployment serves.
        memory: Megabytes that it has, as its kernel counts them; None where that is not known yet.
        enough: Megabytes of a host (as they are sold) that would do.
        allotments: One for each service, and ``file cache`` for what is left; their sum is the memory. Where the
            memory is unknown or too little, everything is at its least.
    """

    host: str
    users: int
    memory: int | None
    enough: int
    allotments: tuple[Allotment, ...]

    @property
    def fits(self) -> bool:
        """Tell whether the host is big enough, as far as that is known."""
        return self.memory is None or self.memory >= sum(part.least for part in self.allotments)

    def of(self, service: str) -> int:
        """Return the megabytes of a service; 0 for one that has no budget of its own."""
        return next((part.megabytes for part in self.allotments if part.service == service), 0)


def needs(users: int) -> dict[str, Need]:
    """Return what each service needs for a number of users, by role; ``system`` is what every host needs.

    A role that is not named is part of ``system``: it only writes files.
    """
    meeting = math.ceil(users / 10)  # people who are in meetings at one time
    connections = mattermost_connections(users)
    media = _up(meeting / 4)
    relay = 64 + min(_up(meeting), 1600)
    return {
        "system": Need(
            512, 512, 0, "kernel, journal, apt, and Ansible while it works", "measured, with a margin"
        ),
        "postgresql": Need(
            256 + _BACKEND * (connections + math.ceil(users / 20)),
            1024 + 16 * users,
            3,
            f"256 for caches, {_BACKEND} for each connection; half of all is `shared_buffers`",
            "its documentation, 19.4: `shared_buffers` of 25 % of a host of its own; a connection: measured, 1 to 8",
        ),
        "redis": Need(
            max(64, _up(users / 4)),
            max(128, _up(users)),
            1,
            "sessions, locks and lists of files grow with the users",
            "measured, 6, with a margin; what does not fit is dropped, which costs time and nothing else",
        ),
        "php_fpm": Need(
            _OPCACHE + _WORKER * max(5, math.ceil(users / 20)),
            _OPCACHE + _WORKER * max(10, math.ceil(users / 4)),
            4,
            f"{_OPCACHE} for all, and a worker of {_WORKER} for every 20 users, 5 at least; one for every 4 at most",
            "a new worker: measured, 9 to 25; it grows with what it is asked for, 512 at most",
        ),
        "nginx": Need(
            64, 64, 0, "its workers, and buffers of 1,024 connections", "measured, 5, with a margin"
        ),
        "mattermost": Need(
            max(256, 512 * math.ceil(users / 1000)),
            max(1024, 4 * users),
            2,
            "512 for every 1,000 users; it collects its garbage the more often the nearer it comes to its budget",
            "its documentation: 2 GB for 1 to 1,000 users, database and proxy in it; measured, 133",
        ),
        "prosody": Need(
            96 + media, 96 + media, 0, "one process, and what it knows of each participant", "an estimate"
        ),
        "coturn": Need(
            relay,
            relay,
            0,
            "one process, and 1 for ten allocations of each participant, 1,600 at most, as many as it has ports",
            "measured, 16 and an allocation of 0.02 (UDP) or 0.05 (TLS), with a margin",
        ),
        "jicofo": Need(
            _JVM + 256,
            _JVM + 3072,
            1,
            f"a heap of 256 to 3,072, and {_JVM} for Java itself",
            "jicofo.sh: a heap of 3,072 suits upstream's busiest servers",
        ),
        "jitsi_videobridge": Need(
            _JVM + max(512, 16 * meeting),
            _JVM + 3072,
            3,
            f"a heap of 16 for every tenth user, 512 to 3,072, and {_JVM} for Java itself",
            "jvb.sh: a heap of 3,072; Jitsi handbook: hosts of 2 GB for tests, 4 GB for small meetings, 8 GB usually",
        ),
    }


def divide(host: str, roles: Collection[str], *, users: int, memory: int | None) -> Budget:
    """Return the budget of a host.

    Args:
        host: Its name.
        roles: What it carries.
        users: How many people the deployment serves.
        memory: Megabytes that its kernel counts, or None.
    """
    wanted = {name: need for name, need in needs(users).items() if name == "system" or name in roles}
    least = sum(need.least for need in wanted.values())
    enough = math.ceil(least / _VISIBLE / _HOST_STEP) * _HOST_STEP
    spare = max(0, (memory or 0) - least)
    # As much as the largest share stays with the kernel for files.
    shares = sum(need.share for need in wanted.values()) + max(need.share for need in wanted.values()) or 1
    parts = []
    for name, need in wanted.items():
        grown = need.least + spare * need.share // shares // _STEP * _STEP
        parts.append(Allotment(name, min(grown, max(need.least, need.most)), need.least, need.why))
    left = spare - sum(part.megabytes - part.least for part in parts)
    if left > 0:
        parts.append(Allotment("file cache", left, 0, "what the kernel keeps of the files that were read"))
    return Budget(host, users, memory, enough, tuple(parts))


def explain(budget: Budget) -> str:
    """Return the least amounts of a host in a line, the biggest first."""
    parts = sorted((part for part in budget.allotments if part.least), key=lambda part: -part.least)
    return ", ".join(f"{part.service} {part.least}" for part in parts)


def visible(declared: int) -> int:
    """Return what a kernel counts of the megabytes that a host is sold with."""
    return int(declared * _VISIBLE)


def mattermost_connections(users: int) -> int:
    """Return how many connections to its database Mattermost may open."""
    return min(300, max(50, math.ceil(users / 5)))


def variables(budget: Budget, *, connections: int) -> dict[str, int]:
    """Return the roles' variables that a budget decides.

    Args:
        budget: The host's.
        connections: How many the clients of its database open at most; only a host with PostgreSQL needs them.
    """
    if budget.memory is None:
        return {}
    found = {
        "postgresql_memory_megabytes": budget.of("postgresql"),
        "redis_memory_megabytes": budget.of("redis"),
        "php_fpm_memory_megabytes": budget.of("php_fpm") - _OPCACHE,
        "mattermost_memory_megabytes": budget.of("mattermost"),
        "prosody_memory_megabytes": budget.of("prosody"),
        "coturn_memory_megabytes": budget.of("coturn"),
        "jicofo_memory_megabytes": budget.of("jicofo") - _JVM,
        "jitsi_videobridge_memory_megabytes": budget.of("jitsi_videobridge") - _JVM,
    }
    found = {name: megabytes for name, megabytes in found.items() if megabytes > 0}
    if budget.of("mattermost"):
        found["mattermost_database_connections"] = mattermost_connections(budget.users)
    if budget.of("postgresql"):
        found["postgresql_max_connections"] = connections + _RESERVED_CONNECTIONS
    return found


def connections(budgets: Mapping[str, Budget], users: int) -> int:
    """Return how many connections the applications on all hosts open to the database at most."""
    workers = sum(
        (budget.of("php_fpm") - _OPCACHE) // _WORKER for budget in budgets.values() if budget.of("php_fpm")
    )
    servers = sum(1 for budget in budgets.values() if budget.of("mattermost"))
    return workers + servers * mattermost_connections(users)


def _up(megabytes: float) -> int:
    return math.ceil(megabytes / _STEP) * _STEP
