"""Two commands never work on one lab at once."""

import errno

import pytest

from provisioner.errors import Busy, ProvisionerError
from provisioner.lab import lock


@pytest.fixture(autouse=True)
def own_state(monkeypatch, tmp_path):
    monkeypatch.setenv("SOVSTACK_STATE_DIR", str(tmp_path))
    monkeypatch.setattr(lock, "_WAIT_SECONDS", 0.2)


def test_the_second_command_waits_and_then_says_busy(tmp_path):
    one, other = (lock.hold(tmp_path / "lock", "busy here", 0.2) for _ in range(2))
    with one, pytest.raises(Busy, match="busy here"), other:
        pytest.fail("two held one lock")


def test_the_lock_is_free_again_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), lock.hold(tmp_path / "lock", "busy"):
        raise ZeroDivisionError
    with lock.hold(tmp_path / "lock", "busy"):
        pass


def test_labs_do_not_wait_for_each_other():
    with lock.hold_lab("a"), lock.hold_lab("b"):
        pass


def test_a_full_disk_is_no_crash():
    with pytest.raises(ProvisionerError) as caught, lock.hold_lab("a"):
        raise OSError(errno.ENOSPC, "No space left on device", "/var/x")
    assert "No space left on device: /var/x" in caught.value.message
