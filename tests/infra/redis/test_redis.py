"""The key-value store as the role promises it: a socket for its clients, TLS for those elsewhere, nothing kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from testinfra.host import Host

# systemd-analyze's exposure, 0 (shut in) to 10.
HIGHEST_EXPOSURE = 1.0
HIGHEST_EXPOSURE_WITH_NETWORK = 2.0
AUTHORITY = "/usr/local/share/ca-certificates/sovstack-internal.crt"
PORT = 6379


@pytest.fixture(scope="module")
def product(host: Host) -> str:
    """Valkey, where Debian has it, else Redis."""
    return "valkey" if host.exists("valkey-server") else "redis"


@pytest.fixture(scope="module")
def ask(host: Host, product: str, deployment: dict[str, Any]) -> Callable[[str], list[str]]:
    """Lines that the store answers to a command."""
    command = f"{product}-cli -s {deployment['redis_socket_path']} "
    if deployment["redis_listen_addresses"]:
        command = f"REDISCLI_AUTH=$(cat /etc/{product}/operator) {command} --user operator --no-auth-warning "
    return lambda words: host.check_output(command + words).splitlines()


@pytest.mark.check(
    id="REDIS-UNIT",
    title="The key-value store runs, starts with the host and is shut in",
    grade="observed on host",
    remedy="Run apply; if it stays, read `journalctl -u valkey-server` (Debian 13) or `redis-server` (Debian 12).",
)
def test_unit_runs_shut_in(
    host: Host,
    product: str,
    deployment: dict[str, Any],
    exposure: Callable[[str], float],
    record_property: Callable[[str, object], None],
) -> None:
    service = host.service(f"{product}-server")
    assert service.is_running
    assert service.is_enabled
    record_property("actual", f"exposure {exposure(f'{product}-server.service')}")
    networked = bool(deployment["redis_listen_addresses"])
    highest = HIGHEST_EXPOSURE_WITH_NETWORK if networked else HIGHEST_EXPOSURE
    assert exposure(f"{product}-server.service") <= highest


@pytest.mark.check(
    id="REDIS-SOCKET",
    title="The key-value store is reached by its clients only: over its socket, and where the profile says so over TLS",
    grade="observed on host",
    remedy="Run apply: it writes the configuration and restarts the service.",
)
def test_socket_is_the_only_way_in(
    host: Host, product: str, deployment: dict[str, Any], ask: Callable[[str], list[str]]
) -> None:
    path = deployment["redis_socket_path"]
    socket, folder = host.file(path), host.file(path.rpartition("/")[0])
    assert (socket.user, socket.group, socket.mode & 0o777) == (product, product, 0o770)
    assert (folder.user, folder.group, folder.mode & 0o007) == (product, product, 0)
    assert ask("config get port")[1:] == ["0"]
    listening = host.check_output("ss --no-header --listening --tcp --numeric --processes").splitlines()
    ours = {line.split()[3] for line in listening if f'"{product}-server"' in line}
    assert ours == {
        f"[{address}]:{PORT}" if ":" in address else f"{address}:{PORT}"
        for address in deployment["redis_listen_addresses"]
    }
    stranger = host.run(f"setpriv --reuid=nobody --clear-groups {product}-cli -s {path} ping")
    assert stranger.stdout.strip() != "PONG"


@pytest.mark.check(
    id="REDIS-MEMORY",
    title="The key-value store has a limit and gives up what was used least when it reaches it",
    grade="observed on host",
    remedy="Set redis_memory_megabytes, or leave it to its default, and run apply.",
)
def test_memory_is_limited(
    ask: Callable[[str], list[str]], record_property: Callable[[str, object], None]
) -> None:
    limit = int(ask("config get maxmemory")[1])
    record_property("actual", f"{limit // 2**20} MB")
    assert limit >= 16 * 2**20
    assert ask("config get maxmemory-policy")[1] == "volatile-lru"


@pytest.mark.check(
    id="REDIS-SETTINGS",
    title="The running key-value store has the settings of its files: nobody changes them over a connection",
    grade="observed on host",
    remedy="Run apply: it writes the configuration and restarts the service.",
)
def test_settings_are_those_of_the_files(ask: Callable[[str], list[str]]) -> None:
    limit = ask("config get maxmemory")[1]
    # The value that it has: where this is let through, nothing becomes another.
    assert ask(f"config set maxmemory {limit}")[0].startswith("NOPERM")


@pytest.mark.check(
    id="REDIS-VOLATILE",
    title="Sessions and locks are never written to the disk",
    grade="observed on host",
    remedy="Run apply: it writes the configuration and restarts the service.",
)
def test_nothing_is_kept(host: Host, ask: Callable[[str], list[str]]) -> None:
    assert ask("config get save")[1:] in ([], [""])
    assert ask("config get appendonly")[1] == "no"
    folder = ask("config get dir")[1]
    assert host.check_output("stat --file-system --format=%%T %s", folder) == "tmpfs"
    assert host.check_output("find %s -type f", folder) == ""


@pytest.mark.check(
    id="REDIS-NETWORK",
    title="Over the network the key-value store speaks TLS with the deployment's certificate, and asks for a password",
    grade="observed on host",
    remedy="Run apply: it issues the certificate and writes configuration and firewall anew.",
)
def test_network_is_encrypted_and_authenticated(
    host: Host, product: str, deployment: dict[str, Any], not_applicable: Callable[[str], NoReturn]
) -> None:
    if not deployment["redis_listen_addresses"]:
        not_applicable("the profile lets nobody come from another host")
    for address in deployment["redis_listen_addresses"]:
        shown = host.run(
            "openssl s_client -connect %s -verify_return_error -verify_hostname %s"
            f" -CAfile {AUTHORITY} -no-CApath -no-CAstore </dev/null",
            f"[{address}]:{PORT}" if ":" in address else f"{address}:{PORT}",
            deployment["redis_hostname"],
        )
        assert shown.rc == 0, shown.stderr
        command = f"timeout 5 {product}-cli -h {address} -p {PORT}"
        assert "PONG" not in host.run(f"{command} ping").stdout
        assert "NOAUTH" in host.run(f"{command} --tls --cacert {AUTHORITY} ping").stdout
    assert "NOAUTH" in host.run(f"{product}-cli -s {deployment['redis_socket_path']} ping").stdout
    operator = host.file(f"/etc/{product}/operator")
    assert (operator.user, operator.group, operator.mode) == ("root", "root", 0o600)
    filter_rules = host.check_output("nft list chain inet sovstack_inbound input").splitlines()
    opened = [rule.strip() for rule in filter_rules if f"dport {PORT}" in rule]
    assert opened
    assert [rule for rule in opened if "saddr" not in rule] == []
