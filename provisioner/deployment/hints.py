"""Known causes: what to do about a failure, found in what the failed task said. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from provisioner.reporting.report import Failure

# Sign in the words of apt, dpkg, Python, PostgreSQL or the kernel -> what to do. The first that matches counts.
_CAUSES = (
    (
        r"No space left on device|ENOSPC|enough free space",
        "the disk of {host} is full: free some space there (df -h), then run apply again",
    ),
    (
        r"Cannot allocate memory|Out of memory|MemoryError|oom-kill|Killed\b",
        "{host} ran out of memory: give it more, or stop what else runs there, then run apply again",
    ),
    (
        r"not valid yet|certificate is not yet valid|clock|Release file .* is not valid yet",
        "the clock of {host} seems wrong: compare `date -u` there and here, and see `network.time_servers`",
    ),
    (
        r"Could not get lock|dpkg frontend lock|is another process using it",
        "another package manager works on {host}: wait until it is done, then run apply again",
    ),
    (
        r"dpkg was interrupted",
        "an earlier installation was cut off on {host}: run `dpkg --configure -a` there, then apply again",
    ),
    (
        r"Temporary failure (in name resolution|resolving)|Could not resolve|Name or service not known",
        "{host} cannot resolve names: see /etc/resolv.conf there, and `network.resolvers` in the profile",
    ),
    (
        r"Failed to fetch|Connection timed out|Unable to connect to|Could not connect to",
        "{host} cannot reach its package source: see its apt sources, its proxy, and the firewall on the way",
    ),
    (
        r"Read-only file system",
        "a file system of {host} is read-only, which a damaged disk often is: see `dmesg` there",
    ),
    (
        r'relation "oc_appconfig" does not exist',
        "Nextcloud on {host} is installed, and its database is empty: stop it there, restore its dump where its "
        "database is now, then run apply again (docs/operations/placement.md)",
    ),
)


def find(failures: Iterable[Failure]) -> str | None:
    """Return what to do about the first failure with a known cause, or None."""
    for failure in failures:
        said = f"{failure.message}\n{failure.output}"
        for sign, remedy in _CAUSES:
            if re.search(sign, said):
                return remedy.format(host=failure.host)
        if failure.unreachable:
            return find_lost(failure.host)
    return None


def find_lost(host: str) -> str:
    """Return what to do about a host that went away in the middle of a run."""
    return f"see whether {host} is up, then run apply again: what was begun there may be half done"
