"""Open ports are held against the profile's, with real listeners on loopback."""

from __future__ import annotations

import pytest

from provisioner.checks.outside import HostTarget
from provisioner.checks.outside.ports import check_open_ports
from provisioner.checks.outside.promise import NoEvidence
from provisioner.checks.result import Verdict

from .conftest import free_port, listening


def test_exactly_the_open_ports_pass() -> None:
    with listening() as port:
        finding = check_open_ports(HostTarget("main", "127.0.0.1", frozenset({port}), lambda: [port]))
    assert finding.verdict is Verdict.PASS
    assert str(port) in finding.actual


def test_listener_that_the_profile_does_not_open_fails() -> None:
    with listening() as right, listening() as surplus:
        finding = check_open_ports(
            HostTarget("main", "127.0.0.1", frozenset({right}), lambda: [right, surplus])
        )
    assert finding.verdict is Verdict.FAIL
    assert finding.actual == f"open but not in the profile: {surplus}"


def test_port_of_the_profile_that_is_closed_fails() -> None:
    closed = free_port()
    with listening() as right:
        finding = check_open_ports(HostTarget("main", "127.0.0.1", frozenset({right, closed})))
    assert finding.verdict is Verdict.FAIL
    assert finding.actual == f"in the profile but closed: {closed}"


@pytest.mark.slow
def test_full_scan_finds_what_nobody_named() -> None:
    with listening() as right, listening() as surplus:
        finding = check_open_ports(HostTarget("main", "127.0.0.1", frozenset({right}), full_scan=True))
    assert finding.verdict is Verdict.FAIL
    assert str(surplus) in finding.actual
    assert "65535 ports tried" in finding.details


def test_host_that_does_not_answer_is_no_evidence() -> None:
    with pytest.raises(NoEvidence, match="no port at all"):
        check_open_ports(HostTarget("main", "127.0.0.2", frozenset({free_port()})))
