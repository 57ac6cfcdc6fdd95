"""Keys, certificates and the trust store of a host."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import pytest
from testinfra.host import Host

FOLDER = "/etc/sovstack/tls"
AUTHORITY = "/usr/local/share/ca-certificates/sovstack-internal.crt"
DAYS_LEFT_MIN = 21
# Groups of the services that read their key as their own user, by the certificate's name.
READERS = {
    "postgresql": ("postgres",),
    "redis": ("valkey", "redis"),
    "prosody": ("prosody",),
    "coturn": ("turnserver",),
}
DAY = 24 * 60 * 60  # seconds


def certificates(host: Host) -> list[str]:
    """Folders with a certificate in them."""
    found = host.check_output(f"find {FOLDER} -name fullchain.pem -printf '%h\\n'").splitlines()
    assert found, f"there is no certificate in {FOLDER}"
    return sorted(found)


@pytest.mark.check(
    id="TLS-FILES",
    title="Each certificate has its own key and lasts 21 days more",
    grade="observed on host",
    remedy="Run `sovstack apply`; it renews. With ACME see `journalctl -u certbot`.",
)
def test_key_and_certificate_belong_together(host: Host) -> None:
    for folder in certificates(host):
        certificate = host.run(
            f"openssl x509 -in {folder}/fullchain.pem -noout -pubkey -checkend {DAYS_LEFT_MIN * DAY}"
        )
        public, end, left = certificate.stdout.partition("-----END PUBLIC KEY-----")
        assert public + end == host.check_output(f"openssl pkey -in {folder}/privkey.pem -pubout"), folder
        assert certificate.rc == 0, f"{folder}: {left.strip()} within {DAYS_LEFT_MIN} days"


@pytest.mark.check(
    id="TLS-KEYS",
    title="Private keys can be read by root and by the service that uses them, and by nobody else",
    grade="observed on host",
    remedy="Run `sovstack apply`; it gives the keys back to whom they belong.",
)
def test_keys_are_private(host: Host) -> None:
    for folder in certificates(host):
        key = host.file(f"{folder}/privkey.pem")
        reader = READERS.get(folder.rpartition("/")[2], ("root",))
        assert key.user == "root", folder
        assert key.group in reader, folder
        assert key.mode == (0o600 if key.group == "root" else 0o640), folder


@pytest.mark.check(
    id="TLS-NAMES",
    title="Every site of this host has a certificate for its name",
    grade="observed on host",
    remedy="Run `sovstack apply`; with provided files, give a certificate that has all names.",
)
def test_names_are_covered(host: Host, deployment: dict) -> None:
    here = deployment.get("inventory_hostname")
    wanted = {
        site["hostname"]
        for site in deployment.get("stack_sites", {}).values()
        if here in {None, site["host"]}
    }
    wanted |= {
        deployment[f"{role}_hostname"]
        for role in ("postgresql", "redis")
        if deployment[f"{role}_listen_addresses"]
    }
    if deployment["coturn_addresses"]:
        wanted.add(deployment["coturn_hostname"])
    wanted |= {name for item in deployment["tls_certificates"] for name in item["hostnames"]}
    assert wanted
    folders = certificates(host)
    for name in wanted:
        matches = (
            # Ends with 1 where the name is another one, since OpenSSL 3.4.
            host.run(f"openssl x509 -in {folder}/fullchain.pem -noout -checkhost %s", name).stdout
            for folder in folders
        )
        assert any("does match" in match for match in matches), name


@pytest.mark.check(
    id="TLS-TRUST",
    title="The host trusts its own certificates",
    grade="observed on host",
    remedy="Run `sovstack apply`; it puts the internal authority into the trust store.",
)
def test_own_certificates_are_trusted(
    host: Host, deployment: dict, not_applicable: Callable[[str], NoReturn]
) -> None:
    if deployment["tls_issuer"] == "provided":
        not_applicable("whether a provided authority is trusted is not for this host to decide")
    for folder in certificates(host):
        chain = f"{folder}/fullchain.pem"
        verification = host.run(f"openssl verify -untrusted {chain} {chain}")
        assert verification.rc == 0, verification.stderr


@pytest.mark.check(
    id="TLS-AUTHORITY-KEY",
    title="The internal authority's key is not on the host",
    grade="observed on host",
    remedy="Delete the file, make a new authority and issue everything anew: the key has to be taken for known.",
)
def test_key_of_the_authority_is_elsewhere(
    host: Host, deployment: dict, not_applicable: Callable[[str], NoReturn]
) -> None:
    if not host.file(AUTHORITY).exists:
        not_applicable("no certificate of this host comes from an internal authority")
    authority = host.check_output(f"openssl x509 -in {AUTHORITY} -noout -pubkey")
    # grep says 1 when it finds nothing, 2 when a file vanished meanwhile.
    search = "grep -rlI --include='*.pem' --include='*.key' -e 'PRIVATE KEY' /etc /root /opt /srv /var/lib"
    for file in host.run(search).stdout.splitlines():
        public = host.run("openssl pkey -in %s -passin pass: -pubout", file)
        assert public.stdout != authority, file


@pytest.mark.check(
    id="TLS-RENEWAL",
    title="Certificates are renewed without anybody",
    grade="observed on host",
    remedy="`systemctl enable --now certbot.timer`",
    unit="certbot.service",
)
def test_renewal_is_scheduled(
    host: Host, deployment: dict, not_applicable: Callable[[str], NoReturn]
) -> None:
    if deployment["tls_issuer"] != "acme":
        not_applicable("only certificates of an ACME server are renewed on the host")
    assert host.service("certbot.timer").is_enabled
    assert host.service("certbot.timer").is_running
