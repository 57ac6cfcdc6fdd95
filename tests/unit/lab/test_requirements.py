"""What a computer lacks for lab machines is said at once, with what to install."""

import os
import shutil
from pathlib import Path

import pytest

from provisioner.errors import ExitCode, Unavailable
from provisioner.lab import requirements


def test_everything_that_is_missing_is_listed_at_once(monkeypatch):
    monkeypatch.setattr(
        shutil, "which", lambda program: None if program in ("mmdebstrap", "nft") else "/bin/x"
    )
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Unavailable) as caught:
        requirements.check()
    assert caught.value.exit_code == ExitCode.UNAVAILABLE
    assert "mmdebstrap is not installed" in caught.value.details
    assert "nft is not installed" in caught.value.details
    assert "only root may" in caught.value.details
    assert "apt-get install mmdebstrap nftables" in caught.value.hint
    assert "sudo" in caught.value.hint


def test_two_programs_of_one_package_are_installed_once(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda program: None if program.startswith("ssh") else "/bin/x")
    with pytest.raises(Unavailable) as caught:
        requirements.check()
    assert caught.value.hint.count("openssh-client") == 1


@pytest.mark.parametrize(
    ("kind", "refused"), [("overlay", True), ("nfs4", True), ("fuse.sshfs", True), ("ext4", False)]
)
def test_disks_need_a_file_system_that_can_hold_them(monkeypatch, kind, refused):
    monkeypatch.setattr(requirements, "_filesystem", lambda path: kind)
    monkeypatch.setattr(shutil, "which", lambda program: None)
    with pytest.raises(Unavailable) as caught:
        requirements.check()
    assert ("set SOVSTACK_STATE_DIR" in caught.value.details) is refused


def test_the_file_system_of_a_folder_that_is_yet_to_be_made_is_known():
    assert requirements._filesystem(Path("/proc/self/not/there")) == "proc"


def test_changing_a_lab_needs_root(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Unavailable):
        requirements.check_root()
