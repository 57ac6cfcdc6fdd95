"""Checks of single values: what they return they accept again, and they raise nothing of their own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.profile import values
from provisioner.profile.values import MalformedValue

CHECKS = [
    check
    for name, check in vars(values).items()
    if name.startswith("check_") and check is not values.check_settings
]
WORDS = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="abzAZ019.-_:/@[]%{ \n\u0430", max_size=60),
    st.sampled_from(
        [
            "10.0.0.1",
            "::1",
            "fe80::1%eth0",
            "10.0.0.0/8",
            "a.example",
            "https://a.example/x",
            "NL",
            "Europe/Amsterdam",
        ]
    ),
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_normal_form_is_accepted_and_stays(check: object) -> None:
    assert callable(check)

    @given(WORDS)
    def hold(text: str) -> None:
        try:
            normal = check(text)
        except MalformedValue as error:
            assert error.message
        else:
            assert check(normal) == normal
            assert "{{" not in normal
            assert "\n" not in normal

    hold()


@pytest.mark.parametrize(
    ("check", "given_text", "normal"),
    [
        (values.check_host_name, "Cloud.Zonnedael.Example.", "cloud.zonnedael.example"),
        (values.check_host_name, "xn--bcher-kva.example", "xn--bcher-kva.example"),
        (values.check_ip_address, "2001:DB8:0::1", "2001:db8::1"),
        (values.check_ip_network, "192.0.2.1", "192.0.2.1/32"),
        (values.check_country, "nl", "NL"),
        (values.check_text, "  a b ", "a b"),
        (values.check_colour, "#00695C", "#00695c"),
        (values.check_host_path, "/srv/portal-data", "/srv/portal-data"),
        (values.check_host_path, "/mnt/homes/data", "/mnt/homes/data"),
        (
            values.check_ssh_public_key,
            "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAQQ== me@x",
            "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAQQ==",
        ),
    ],
)
def test_normal_forms(check: object, given_text: str, normal: str) -> None:
    assert callable(check)
    assert check(given_text) == normal


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (values.check_host_name, "localhost"),
        (values.check_host_name, "10.0.0.1"),
        (values.check_host_name, "-a.example"),
        (values.check_host_name, "a..example"),
        (values.check_host_name, "a" * 64 + ".example"),
        (values.check_host_name, ".".join(["a" * 50] * 6)),
        (values.check_host_name, "a.example\n"),
        (values.check_colour, "#fff"),
        (values.check_colour, "blue"),
        (values.check_label, "1a"),
        (values.check_label, "a_b"),
        (values.check_label, "localhost"),
        (values.check_ip_address, "224.0.0.1"),
        (values.check_ip_address, "fe80::1%eth0"),
        (values.check_ip_address, "010.0.0.1"),
        (values.check_https_url, "https://"),
        (values.check_https_url, "https://a.example:99999/"),
        (values.check_https_url, "https://a.example/?q=1"),
        (values.check_https_url, "https://a.example/ b"),
        (values.check_https_url, "https://[::1/"),
        (values.check_email_address, "a@b@c.example"),
        (values.check_email_address, "a b@c.example"),
        (values.check_host_path, "/srv"),
        (values.check_host_path, "/srv/../etc"),
        (values.check_host_path, "srv/data"),
        (values.check_host_path, "/srv/a b"),
        (values.check_host_path, "/etc/nextcloud"),
        *(
            (values.check_host_path, f"{folder}/data")
            for folder in (
                *(
                    "/home",
                    "/home/beheer",
                    "/root",
                    "/tmp",
                    "/var/tmp",
                    "/run",
                    "/var/run",
                    "/dev/shm",
                    "/lib",
                ),
                *("/srv/portal", "/opt/nextcloud", "/opt/mattermost"),
            )
        ),
        (values.check_host_path, "/srv/portal"),
        (values.check_ssh_public_key, "ssh-ed25519 AAAAB3NzaC1yc2EAAAADAQABAAAAQQ=="),
        (values.check_ssh_public_key, "ssh-dss AAAAB3NzaC1kc3M="),
    ],
)
def test_malformed_values(check: object, text: str) -> None:
    assert callable(check)
    with pytest.raises(MalformedValue):
        check(text)
