"""Which transport is taken, and what child processes may see."""

from __future__ import annotations

import importlib.metadata
import importlib.util

import pytest

from provisioner.engine import runner
from provisioner.engine.runner import Transport, base_environment, choose_transport
from provisioner.errors import Unavailable, UsageError


def core(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version)


@pytest.mark.parametrize(
    ("version", "expected"),
    [("2.19.14", Transport.MITOGEN), ("2.21.5", Transport.MITOGEN), ("2.22.0", Transport.SSH)],
)
def test_mitogen_only_where_it_knows_the_core(
    monkeypatch: pytest.MonkeyPatch, version: str, expected: Transport
) -> None:
    core(monkeypatch, version)
    assert choose_transport(None) is expected
    assert choose_transport("ssh") is Transport.SSH


def test_asking_for_mitogen_where_it_cannot_work_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    core(monkeypatch, "2.22.0")
    with pytest.raises(Unavailable, match=r"ansible-core 2\.22"):
        choose_transport("mitogen")


def test_without_mitogen_ssh_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert choose_transport(None) is Transport.SSH


def test_unknown_transport() -> None:
    with pytest.raises(UsageError, match="SOVSTACK_TRANSPORT=telnet"):
        choose_transport("telnet")


def test_children_see_nothing_that_may_hold_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_VAULT_PASSWORD", "geheim")
    monkeypatch.setenv("ANSIBLE_HOST_KEY_CHECKING", "False")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    seen = base_environment()
    assert "geheim" not in seen.values()
    assert not [name for name in seen if name.startswith("ANSIBLE_")]
    assert seen["SSH_AUTH_SOCK"] == "/run/agent"
    assert seen["LC_ALL"] == "C.UTF-8"
    assert runner.MARK not in seen
