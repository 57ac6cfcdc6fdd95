"""Which subnets are free, and which a user may ask for."""

import json

import pytest

from provisioner.errors import UsageError
from provisioner.lab import network

ROUTES = [
    {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0"},
    {"dst": "10.0.0.0/8", "dev": "tun0"},
    {"dst": "10.77.3.0/24", "dev": "br0"},
    {"dst": "10.77.8.128/25", "dev": "br1"},
    {"dst": "10.77.9.4", "dev": "wg0"},
    {"dst": "10.77.5.0/24", "dev": "sovlab5"},
]


@pytest.fixture(autouse=True)
def own_computer(monkeypatch, tmp_path):
    monkeypatch.setenv("SOVSTACK_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(network, "_SHARED", tmp_path / "run")
    monkeypatch.setattr(network, "run", lambda arguments: json.dumps(ROUTES))


def test_a_subnet_that_a_route_leads_to_is_taken_but_a_wide_route_yields():
    assert network._networks_in_use() == {3, 5, 8, 9}
    assert network._networks_in_use(ours="sovlab5") == {3, 8, 9}


def test_labs_get_different_free_subnets_and_default_its_own():
    assert [network.allocate(name, None).network for name in ("a", "b", "default", "c")] == [1, 2, 0, 4]


@pytest.mark.parametrize(
    "subnet", ["10.77.3.0/24", "10.78.1.0/24", "10.77.1.0/25", "10.77.1.5/24", "x", "10.77.300.0/24"]
)
def test_a_subnet_that_is_taken_or_no_labs_is_refused(subnet):
    with pytest.raises(UsageError):
        network.allocate("a", subnet)


def test_a_free_subnet_can_be_asked_for():
    assert str(network.allocate("a", "10.77.200.0/24").subnet) == "10.77.200.0/24"


def test_chains_of_others_that_drop_forwarded_packets_are_named(monkeypatch):
    chains = [
        {
            "chain": {
                "family": "ip",
                "table": "filter",
                "name": "FORWARD",
                "hook": "forward",
                "policy": "drop",
            }
        },
        {
            "chain": {
                "family": "ip",
                "table": "sovlab1",
                "name": "forward",
                "hook": "forward",
                "policy": "accept",
            }
        },
        {"chain": {"family": "ip", "table": "filter", "name": "DOCKER"}},
        {"metainfo": {}},
    ]
    monkeypatch.setattr(network, "run", lambda arguments: json.dumps({"nftables": chains}))
    assert network.obstacles() == ["the nftables chain ip filter FORWARD drops what it does not know"]


def test_a_setting_of_the_kernel_is_borrowed_and_given_back(tmp_path):
    (tmp_path / "run").mkdir()
    setting = tmp_path / "max_user_instances"
    setting.write_text("128\n")
    network._borrow(setting, 2048)
    network._borrow(setting, 2048)
    assert setting.read_text() == "2048"
    network._give_back(setting)
    network._give_back(setting)
    assert setting.read_text() == "128\n"


def test_a_setting_that_suffices_is_left_alone(tmp_path):
    (tmp_path / "run").mkdir()
    setting = tmp_path / "max_user_instances"
    setting.write_text("8192\n")
    network._borrow(setting, 2048)
    network._give_back(setting)
    assert setting.read_text() == "8192\n"


def test_a_setting_that_cannot_be_set_leaves_no_memory_of_it(tmp_path):
    (tmp_path / "run").mkdir()

    class ReadOnly(type(tmp_path)):
        def write_text(self, *_):
            raise PermissionError("read-only")

    (tmp_path / "max_user_instances").write_text("128\n")
    with pytest.raises(PermissionError):
        network._borrow(ReadOnly(tmp_path / "max_user_instances"), 2048)
    assert list((tmp_path / "run").iterdir()) == []
