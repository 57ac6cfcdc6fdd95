"""A lab machine is a minimal Debian in order: what roles are tried on is no stranger than a hoster's."""


def test_systemd_is_running(host):
    assert host.check_output("systemctl is-system-running --wait") == "running"


def test_has_the_name_of_its_inventory(host):
    assert host.check_output("hostname") == host.ansible.get_variables()["inventory_hostname"]


def test_resolves_and_reaches_the_package_sources(host):
    assert host.run("apt-get update --error-on=any").rc == 0


def test_listens_on_ssh_only(host):
    listening = {line.split()[3].rsplit(":", 1)[1] for line in host.check_output("ss -Htln").splitlines()}
    assert listening == {"22"}


def test_brings_no_firewall_of_its_own(host):
    assert not host.package("nftables").is_installed
