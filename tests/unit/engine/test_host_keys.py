"""Host keys: recorded once, found by name and port, fingerprinted as ssh-keygen does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from provisioner.engine import host_keys
from provisioner.errors import HostUnreachable

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqx8N7nDwpdyTtwTBhLVAvxOjNoZxCAxjSyKK8xlOlz"


def test_record_appends_and_keeps_what_is_there(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text("# by hand\n10.0.0.1 ssh-rsa AAAA")
    host_keys.record(file, [("10.0.0.2", KEY), ("[10.0.0.3]:2222", KEY)])
    host_keys.record(file, [("10.0.0.2", KEY)])
    assert file.read_text() == (f"# by hand\n10.0.0.1 ssh-rsa AAAA\n10.0.0.2 {KEY}\n[10.0.0.3]:2222 {KEY}\n")


def test_recorded_reads_names_comments_and_lists(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"#10.0.0.2 {KEY}\n\nhost,10.0.0.2 {KEY} comment\n10.0.0.20 {KEY}\n")
    assert host_keys.recorded(file, "10.0.0.2") == [KEY]
    assert host_keys.recorded(file, "10.0.0.3") == []
    assert host_keys.recorded(tmp_path / "none", "10.0.0.2") == []


def test_unreadable_record_is_an_error_and_not_a_first_contact(tmp_path: Path) -> None:
    (tmp_path / "known_hosts").mkdir()
    with pytest.raises(HostUnreachable, match="cannot read"):
        host_keys.recorded(tmp_path / "known_hosts", "10.0.0.2")


def test_fingerprint_is_that_of_ssh_keygen(tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text(KEY + "\n")
    said = subprocess.run(
        ["ssh-keygen", "-lf", str(tmp_path / "key.pub")], capture_output=True, text=True, check=True
    ).stdout
    assert host_keys.fingerprint(KEY).split()[1] == said.split()[1]
    assert host_keys.fingerprint("ssh-ed25519 !!") == "ssh-ed25519 (unreadable key)"


def test_label_names_the_port_only_where_it_is_unusual() -> None:
    assert host_keys.label("10.0.0.1", 22) == "10.0.0.1"
    assert host_keys.label("fd00::1", 2222) == "[fd00::1]:2222"
