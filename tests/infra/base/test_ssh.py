"""The SSH server as it runs."""

from __future__ import annotations

import pytest
from testinfra.host import Host


def settings(host: Host) -> dict[str, str]:
    """The server's effective settings, from its own mouth."""
    lines = host.check_output("/usr/sbin/sshd -T").splitlines()
    return dict(line.partition(" ")[::2] for line in lines)


@pytest.mark.check(
    id="HOST-SSH",
    title="SSH accepts keys only, and no password of root",
    grade="observed on host",
    remedy="Remove what overrides /etc/ssh/sshd_config.d/10-sovstack.conf; `sshd -T` shows what is in force.",
)
def test_only_keys_open_the_door(host: Host) -> None:
    found = settings(host)
    assert found["passwordauthentication"] == "no"
    assert found["kbdinteractiveauthentication"] == "no"
    assert found["permitemptypasswords"] == "no"
    assert found["permitrootlogin"] in {"without-password", "no"}


@pytest.mark.check(
    id="HOST-SSH-ALGORITHMS",
    title="SSH offers no SHA-1, no CBC, no NIST key exchange and no ECDSA or DSA host key by default",
    grade="observed on host",
    remedy="Run `sovstack apply`; it writes /etc/ssh/sshd_config.d/10-sovstack.conf.",
)
def test_weak_algorithms_are_not_offered(host: Host, deployment: dict) -> None:
    found = settings(host)
    assert set(found["hostkeyalgorithms"].split(",")) == set(deployment["base_ssh_host_key_algorithms"])
    offered = [
        *found["kexalgorithms"].split(","),
        *found["ciphers"].split(","),
        *found["macs"].split(","),
    ]
    weak = [
        name
        for name in offered
        if any(part in name for part in ("sha1", "cbc", "nistp", "group14", "hmac-md5"))
    ]
    assert not weak
    assert all("etm" in name for name in found["macs"].split(","))


@pytest.mark.check(
    id="HOST-SSH-KEYS",
    title="The SSH server's private keys can be read by root only",
    grade="observed on host",
    remedy="chmod 0600 /etc/ssh/ssh_host_*_key",
)
def test_host_keys_are_private(host: Host) -> None:
    keys = host.check_output("find /etc/ssh -name 'ssh_host_*_key' -printf '%u %m %p\\n'").splitlines()
    assert keys
    assert [key for key in keys if not key.startswith("root 600 ")] == []
