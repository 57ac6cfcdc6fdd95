"""The probe of a videobridge's port: one that opens late is awaited, one that stays closed is not."""

from __future__ import annotations

import socket
import threading

import pytest

from provisioner.checks.outside import relay
from provisioner.checks.outside.relay import MediaTarget, check_media
from provisioner.checks.result import Verdict

from .conftest import free_port


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> MediaTarget:
    monkeypatch.setattr(relay, "_MEDIA_SECONDS", 0.5)
    return MediaTarget("main", "127.0.0.1", free_port())


def test_port_that_stays_closed_fails(target: MediaTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "_START_SECONDS", 0)
    finding = check_media(target)
    assert (finding.verdict, finding.actual) == (
        Verdict.FAIL,
        f"UDP port {target.port} of 127.0.0.1 is closed",
    )


def test_videobridge_that_still_starts_is_awaited(target: MediaTarget) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bridge:
        opening = threading.Timer(0.3, bridge.bind, [(target.address, target.port)])
        opening.start()
        finding = check_media(target)
        opening.join()
    assert finding.verdict is Verdict.PASS
    assert "is not refused" in finding.actual
