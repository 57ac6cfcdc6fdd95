"""The record says what a lab is, and every name follows from it."""

import json

import pytest

from provisioner.errors import ProvisionerError, UsageError
from provisioner.lab import lifecycle, record
from provisioner.lab.record import Lab, Machine


@pytest.fixture(autouse=True)
def own_state(monkeypatch, tmp_path):
    monkeypatch.setenv("SOVSTACK_STATE_DIR", str(tmp_path))


@pytest.fixture
def lab():
    machines = [Machine(2, 12, "/images/b", "s2", 2048), Machine(1, 13, "/images/a", "s1")]
    return Lab("zonnedael", 7, {machine.number: machine for machine in machines})


def test_a_saved_lab_is_loaded_as_it_was(lab):
    record.save(lab)
    assert record.load("zonnedael") == lab
    assert record.load_all() == [lab]


def test_saving_leaves_one_file_that_only_its_owner_reads(lab):
    record.save(lab)
    assert [path.name for path in lab.home.iterdir()] == ["record.json"]
    assert (lab.home / "record.json").stat().st_mode & 0o777 == 0o600


def test_names_and_addresses_follow_from_the_record(lab):
    assert str(lab.subnet) == "10.77.7.0/24"
    assert str(lab.gateway) == "10.77.7.1"
    assert str(lab.address(2)) == "10.77.7.12"
    assert lab.hostname(2) == "zonnedael-2"
    assert lab.link(2) == "vb-sovlab7-2"


def test_no_network_link_has_a_name_too_long_for_the_kernel():
    assert len(Lab("a", 255).link(lifecycle._MOST_MACHINES)) <= 15


def test_adding_a_machine_keeps_the_others_in_order(lab):
    third = Machine(3, 13, "/images/a", "s3")
    assert list(lab.with_machine(third).machines) == [1, 2, 3]
    assert list(lab.machines) == [2, 1]  # the lab itself is frozen


def test_a_machine_that_is_not_there_is_named_with_those_that_are(lab):
    with pytest.raises(UsageError) as caught:
        lab.machine(9)
    assert caught.value.hint == "its machines: 2, 1"


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", "A", "a_b", "a.b", "../x", "a/b", "hostkeys", "é", "a" * 41]
)
def test_a_name_that_cannot_be_a_host_name_is_refused(name):
    with pytest.raises(UsageError):
        record.check_name(name)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"format_version": 1}', '{"format_version": 1, "machines": [{}]}']
)
def test_a_broken_record_is_an_error_that_names_the_file(content):
    path = record.lab_home() / "broken" / "record.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(ProvisionerError) as caught:
        record.load("broken")
    assert str(path) in caught.value.message


def test_a_record_of_a_later_format_is_not_guessed_at(lab):
    record.save(lab)
    path = lab.home / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format_version": 2}))
    with pytest.raises(ProvisionerError, match="format version 2"):
        record.load("zonnedael")


def test_removing_forgets_the_lab_and_its_disks(lab):
    record.save(lab)
    (lab.machine_dir(1) / "upper").mkdir(parents=True)
    (lab.home / "ssh_config").write_text("")
    record.remove(lab)
    assert not lab.home.exists()
    assert record.load_all() == []
