"""The files that make a machine that machine."""

import pytest

from provisioner.errors import Unavailable
from provisioner.lab import disk

MEMINFO = """\
MemTotal:       24684020 kB
MemFree:        10000000 kB
Buffers:             512 kB
SwapTotal:       2097148 kB
VmallocTotal:   34359738367 kB
HugePages_Total:       0
"""


def test_a_machine_sees_its_limit_as_its_memory_and_no_swap():
    shown = dict(line.split(":") for line in disk.limited_meminfo(MEMINFO, 2097152).splitlines())
    assert shown["MemTotal"].split() == ["2097152", "kB"]
    assert shown["MemFree"].split() == ["2097152", "kB"]
    assert shown["Buffers"].split() == ["512", "kB"]
    assert shown["SwapTotal"].split() == ["0", "kB"]
    assert shown["VmallocTotal"].split() == ["34359738367", "kB"]
    assert shown["HugePages_Total"].strip() == "0"


def test_the_columns_of_meminfo_keep_their_place():
    assert disk.limited_meminfo(MEMINFO, 2097152).splitlines()[0] == "MemTotal:        2097152 kB"


@pytest.fixture
def resolver_files(monkeypatch, tmp_path):
    files = (tmp_path / "resolv.conf", tmp_path / "upstream.conf")
    monkeypatch.setattr(disk, "_RESOLVERS", files)
    return files


def test_a_resolver_on_the_controllers_loopback_is_left_out(resolver_files):
    resolver_files[0].write_text("nameserver 127.0.0.1\nnameserver 192.0.2.53\nsearch zonnedael.example\n")
    assert disk._resolver() == "nameserver 192.0.2.53\nsearch zonnedael.example\n"


def test_the_resolvers_behind_a_local_one_are_used(resolver_files):
    resolver_files[0].write_text("nameserver 127.0.0.53\noptions edns0\n")
    resolver_files[1].write_text("nameserver 2001:db8::53\n")
    assert disk._resolver() == "nameserver 2001:db8::53\n"


def test_no_reachable_resolver_is_an_error_before_anything_starts(resolver_files):
    resolver_files[0].write_text("nameserver ::1\n")
    with pytest.raises(Unavailable):
        disk._resolver()
