"""Labs on this computer: they come up, survive reboots and power cuts, and leave nothing behind."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from pathlib import Path

import pytest

from provisioner import lab
from provisioner.errors import UsageError
from provisioner.lab import State, lock

pytestmark = [pytest.mark.root, pytest.mark.slow]


def on(machine: int, command: str, name: str = "lab") -> str:
    config = lab.require(name).ssh_config
    argv = ["ssh", "-F", str(config), "-o", "ConnectTimeout=5", f"{name}-{machine}", command]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def boot_id(machine: int) -> str:
    """Return what differs between two starts of a machine: the kernel's boot id is the computer's."""
    return on(machine, "stat --format=%Y.%y /proc/1")


def states(name: str = "lab") -> list[State]:
    (found,) = [one for one in lab.listing() if one.name == name]
    return [machine.state for machine in found.machines]


def test_a_lab_of_both_releases_comes_up_and_goes_without_a_trace(computer):
    first = computer.run("up", "lab", "--debian", "12", "--subnet", computer.subnet)
    assert first.returncode == 0, first.stderr
    second = computer.run("up", "lab", "--machines", "2", "--output", "json")
    assert second.returncode == 0, second.stderr

    (result,) = json.loads(second.stdout)["labs"]
    assert [machine["debian"] for machine in result["machines"]] == [12, 13]
    assert on(1, ". /etc/os-release; echo $VERSION_ID") == "12"
    assert on(2, ". /etc/os-release; echo $VERSION_ID") == "13"
    assert on(1, "systemctl is-system-running --wait") == "running"
    assert on(2, "systemctl is-system-running --wait") == "running"
    assert (
        on(
            1,
            f"python3 -c 'import socket; socket.create_connection((\"{result['machines'][1]['address']}\", 22))'",
        )
        == ""
    )
    assert computer.run("ssh", "lab", "2", "--", "hostname").stdout == "lab-2\n"

    # What the next assertion looks for is really seen while it is there.
    kinds = {trace.split()[0] for trace in computer.traces()}
    assert kinds == {"link", "nftables", "group", "process", "claim", "directory"}
    down = computer.run("down", "lab")
    assert down.returncode == 0, down.stderr
    assert computer.traces() == []


def test_two_labs_live_side_by_side_and_a_machine_keeps_its_identity(computer):
    one = lab.up("lab", subnet=computer.subnet)
    other = lab.up("other", subnet=f"10.77.{computer.network + 1}.0/24")
    assert one.subnet != other.subnet
    assert on(1, "hostname", "other") == "other-1"
    key = lab.host_public_key(one, 1)
    assert key == on(1, "cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub")

    lab.down("lab")
    assert on(1, "hostname", "other") == "other-1", "taking one lab down took the other's network"
    assert lab.host_public_key(lab.up("lab", subnet=computer.subnet), 1) == key


def test_up_again_leaves_running_machines_alone(computer):
    lab.up("lab", subnet=computer.subnet)
    before = boot_id(1)
    lab.up("lab", machines=2)
    assert boot_id(1) == before
    assert states() == [State.RUNNING, State.RUNNING]
    with pytest.raises(UsageError):
        lab.up("lab", release=12)


def test_a_machine_comes_back_after_a_reboot_from_inside(computer):
    lab.up("lab", subnet=computer.subnet)
    on(1, "touch /root/kept /run/lost")
    before = boot_id(1)
    with contextlib.suppress(subprocess.CalledProcessError):  # the machine may end before the log-in does
        on(1, "systemctl reboot --no-block")
    deadline = time.monotonic() + 30
    while _boot_id_or_none() in (before, None):
        assert time.monotonic() < deadline, "the machine did not come back"
        time.sleep(0.2)
    assert on(1, "ls /root/kept") == "/root/kept"
    assert on(1, "test -e /run/lost || echo gone") == "gone"
    assert states() == [State.RUNNING]


def _boot_id_or_none() -> str | None:
    with contextlib.suppress(subprocess.CalledProcessError):
        return boot_id(1)
    return None


def test_stop_start_and_power_cut_keep_the_disk(computer):
    lab.up("lab", subnet=computer.subnet)
    on(1, "echo kept > /root/file; systemctl is-system-running --wait")
    lab.stop("lab", 1)
    assert states() == [State.STOPPED]
    lab.start("lab", 1)
    assert on(1, "cat /root/file") == "kept"
    assert "Reached target" in on(1, "journalctl --boot=-1 --no-pager"), "the stop was no orderly shutdown"
    lab.kill("lab", 1)
    assert states() == [State.STOPPED]
    lab.up("lab")
    assert on(1, "cat /root/file") == "kept"


def test_a_lab_comes_up_again_after_the_computer_was_restarted(computer):
    """A restart takes processes, links, rules and /run, and leaves the state directory."""
    lab.up("lab", subnet=computer.subnet)
    on(1, "echo kept > /root/file")
    lab.kill("lab", 1)
    subprocess.run(["ip", "link", "delete", computer.bridge], check=True)
    subprocess.run(["nft", "delete", "table", "ip", computer.bridge], check=True)
    Path(f"/run/sovstack-lab/network-{computer.network}").unlink()
    lab.up("lab")
    assert on(1, "cat /root/file") == "kept"


def test_a_machine_whose_memory_is_limited_sees_that_and_no_more(computer):
    lab.up("lab", subnet=computer.subnet, memory_megabytes=1024)
    assert on(1, "awk '/MemTotal/ {print $2}' /proc/meminfo") == str(1024 * 1024)
    hog = on(1, "python3 -c 'x = bytearray(1500 * 1024 * 1024)' 2>/dev/null; echo $?")
    assert hog != "0", "a program took more memory than the machine has"


def test_a_second_command_on_the_same_lab_is_told_to_wait(computer):
    lab.up("lab", subnet=computer.subnet)
    with lock.hold_lab("lab"):
        refused = computer.run("up", "lab")
    assert refused.returncode == 75
    assert "another command is working on lab lab" in refused.stderr
