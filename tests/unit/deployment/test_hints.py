"""Known causes are recognised in the words of those who complain."""

from __future__ import annotations

import pytest

from provisioner.deployment.hints import find
from provisioner.reporting.report import Failure


def failure(message: str, *, output: str = "", unreachable: bool = False) -> Failure:
    return Failure("main", "base", "Install", message, output, unreachable=unreachable)


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("E: You don't have enough free space in /var/cache/apt/archives/.", "disk of main is full"),
        ("tar: write error: No space left on device", "disk of main is full"),
        ("fatal: Out of memory: Killed process 312 (php)", "ran out of memory"),
        ("OSError: [Errno 12] Cannot allocate memory", "ran out of memory"),
        ("E: Release file for http://x is not valid yet (invalid for another 2h)", "clock of main"),
        (
            "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 12",
            "another package manager",
        ),
        ("E: dpkg was interrupted, you must manually run 'dpkg --configure -a'", "dpkg --configure -a"),
        ("Temporary failure resolving 'deb.example'", "cannot resolve names"),
        ("E: Failed to fetch http://x  Connection timed out", "package source"),
        ("touch: cannot touch '/x': Read-only file system", "read-only"),
        ('PDOException: 7 ERROR:  relation "oc_appconfig" does not exist', "restore its dump"),
    ],
)
def test_known_causes(said: str, advice: str) -> None:
    assert advice in (find([failure("it failed", output=said)]) or "")


def test_a_lost_host_is_explained_last() -> None:
    assert "see whether main is up" in (find([failure("ssh: closed", unreachable=True)]) or "")
    assert "disk" in (find([failure("No space left on device", unreachable=True)]) or "")


def test_unknown_causes_have_no_hint() -> None:
    assert find([failure("assertion failed")]) is None
    assert find([]) is None
