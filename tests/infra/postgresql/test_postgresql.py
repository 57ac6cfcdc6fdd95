"""PostgreSQL as the role promises it: reached over its socket, as who one is, with the settings on the disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from testinfra.host import Host

# systemd-analyze's exposure, 0 (shut in) to 10; what is left is what pg_ctlcluster needs.
HIGHEST_EXPOSURE = 3.0
AUTHORITY = "/usr/local/share/ca-certificates/sovstack-internal.crt"


@pytest.fixture(scope="module")
def unit(host: Host) -> str:
    """Name of the cluster's unit."""
    return (
        "postgresql@"
        + host.check_output("pg_lsclusters --no-header | awk '$2 == \"main\" {print $1}'")
        + "-main.service"
    )


@pytest.mark.check(
    id="PG-UNIT",
    title="PostgreSQL runs, starts with the host, comes back by itself and is shut in",
    grade="observed on host",
    remedy="Run apply; if it stays, read `journalctl -u postgresql@*`.",
)
def test_unit_runs_shut_in(
    host: Host, unit: str, exposure: Callable[[str], float], record_property: Callable[[str, object], None]
) -> None:
    assert host.check_output("systemctl is-active %s", unit) == "active"
    assert host.service("postgresql").is_enabled
    assert host.check_output("systemctl show --property=Restart --value %s", unit) == "always"
    record_property("actual", f"exposure {exposure(unit)}")
    assert exposure(unit) <= HIGHEST_EXPOSURE


@pytest.mark.check(
    id="PG-CURRENT",
    title="PostgreSQL works with its files as they lie on the disk",
    grade="observed on host",
    remedy="Run apply: it restarts or reloads PostgreSQL when its files are newer. `pg_file_settings` has errors.",
)
def test_settings_are_in_force(query: Callable[..., str]) -> None:
    assert query("select name, error from pg_file_settings where error is not null") == ""
    assert query("select line_number, error from pg_hba_file_rules where error is not null") == ""
    assert query("select name from pg_settings where pending_restart") == ""
    origin = query("select sourcefile from pg_settings where name = 'shared_buffers'")
    assert origin.endswith("/conf.d/90-sovstack.conf")


@pytest.mark.check(
    id="PG-SIZE",
    title="PostgreSQL's cache fits the host's memory",
    grade="observed on host",
    remedy="Set postgresql_memory_megabytes, or leave it to its default, and run apply.",
)
def test_cache_fits_memory(
    host: Host, query: Callable[..., str], record_property: Callable[[str, object], None]
) -> None:
    cache = int(query("select setting::bigint * 8 / 1024 from pg_settings where name = 'shared_buffers'"))
    memory = int(host.check_output("awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo"))
    record_property("actual", f"{cache} MB of {memory} MB")
    assert 64 <= cache <= max(64, memory * 0.4)


@pytest.mark.check(
    id="PG-SOCKET",
    title="PostgreSQL listens on its socket and on no other address than the profile names",
    grade="observed on host",
    remedy="Run apply. Addresses for TCP are set by postgresql_listen_addresses only.",
)
def test_listens_where_it_should(host: Host, query: Callable[..., str], deployment: dict[str, Any]) -> None:
    assert query("show listen_addresses") == ",".join(deployment["postgresql_listen_addresses"])
    listening = host.check_output("ss --no-header --listening --tcp --numeric 'sport = :5432'")
    assert bool(listening) == bool(deployment["postgresql_listen_addresses"])
    assert host.file("/run/postgresql/.s.PGSQL.5432").is_socket


@pytest.mark.check(
    id="PG-ACCESS",
    title="Nobody gets into PostgreSQL on trust or in a role that is not theirs",
    grade="observed on host",
    remedy="Run apply: it writes pg_hba.conf and pg_ident.conf anew.",
)
def test_access_is_by_identity(host: Host, query: Callable[..., str], deployment: dict[str, Any]) -> None:
    methods = set(query("select distinct auth_method from pg_hba_file_rules").split())
    over_network = {"scram-sha-256", "cert"} if deployment["postgresql_listen_addresses"] else set()
    assert methods <= {"peer"} | over_network
    for role in ("postgres", "nobody"):
        refused = host.run(
            "setpriv --reuid=nobody --clear-groups psql -h /run/postgresql -U %s -d postgres -c 'select 1'",
            role,
        )
        assert refused.rc != 0
        assert "Peer authentication failed" in refused.stderr


@pytest.mark.check(
    id="PG-FILES",
    title="Only PostgreSQL reads its data",
    grade="observed on host",
    remedy="chown -R postgres:postgres and chmod 0700 on the data folder that `show data_directory` names.",
)
def test_data_is_closed(host: Host, query: Callable[..., str]) -> None:
    data = host.file(query("show data_directory"))
    assert (data.user, data.group, data.mode & 0o777) == ("postgres", "postgres", 0o700)


@pytest.mark.check(
    id="PG-OWNERS",
    title="Every application's database belongs to its own role, which rules nothing else",
    grade="observed on host",
    remedy="Run apply. Take back by hand what was given by hand: `alter role NAME nosuperuser nocreatedb`.",
)
def test_databases_have_own_roles(
    query: Callable[..., str], not_applicable: Callable[[str], NoReturn]
) -> None:
    owners = query(
        "select datname, rolname, rolsuper or rolcreatedb or rolcreaterole or rolbypassrls from pg_database"
        " join pg_roles on pg_roles.oid = datdba where not datistemplate and datname <> 'postgres'",
    ).splitlines()
    if not owners:
        not_applicable("no application has a database here")
    assert [line for line in owners if line.split("|")[1] == "postgres" or line.split("|")[2] != "f"] == []


@pytest.mark.check(
    id="PG-NETWORK",
    title="Over the network PostgreSQL shows its certificate, and lets in the profile's hosts with a password alone",
    grade="observed on host",
    remedy="Run apply: it issues the certificate and writes settings, access rules and firewall anew.",
)
def test_network_is_encrypted_and_authenticated(
    host: Host,
    query: Callable[..., str],
    deployment: dict[str, Any],
    not_applicable: Callable[[str], NoReturn],
) -> None:
    if not deployment["postgresql_listen_addresses"]:
        not_applicable("the profile lets nobody come from another host")
    over_network = "select distinct type || ' ' || auth_method from pg_hba_file_rules where type <> 'local'"
    assert query(over_network).splitlines() == ["hostssl scram-sha-256"]
    kept = "select rolname from pg_authid where rolpassword is not null and rolpassword not like 'SCRAM-SHA-256$%'"
    assert query(kept) == ""
    plain = "select usename, client_addr from pg_stat_activity join pg_stat_ssl using (pid) where not ssl"
    assert query(f"{plain} and client_addr is not null") == ""
    for address in deployment["postgresql_listen_addresses"]:
        shown = host.run(
            "openssl s_client -starttls postgres -connect %s -verify_return_error -verify_hostname %s"
            f" -CAfile {AUTHORITY} -no-CApath -no-CAstore </dev/null",
            f"[{address}]:5432" if ":" in address else f"{address}:5432",
            deployment["postgresql_hostname"],
        )
        assert shown.rc == 0, shown.stderr
    filter_rules = host.check_output("nft list chain inet sovstack_inbound input").splitlines()
    opened = [rule.strip() for rule in filter_rules if "dport 5432" in rule]
    assert opened
    assert [rule for rule in opened if "saddr" not in rule] == []
