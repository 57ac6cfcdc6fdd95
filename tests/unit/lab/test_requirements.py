"""What a computer lacks for lab machines is said at once, with what to install."""

import os
import shutil

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


def test_changing_a_lab_needs_root(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Unavailable):
        requirements.check_root()
