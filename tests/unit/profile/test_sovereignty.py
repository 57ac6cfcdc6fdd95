"""The registry of providers: sound data, and names found as people write them."""

from __future__ import annotations

import datetime as dt

import pytest

from provisioner.profile.sovereignty import ON_PREMISE, Control, Registry
from provisioner.profile.values import COUNTRIES
from provisioner.releases.catalogue import Catalogue

REGISTRY = Registry.load()


MEMBER_STATES = """
AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK
"""
UNITED_STATES = """
aws azure google oracle ibm digitalocean linode akamai vultr cloudflare rackspace equinix
"""


def test_the_european_economic_area() -> None:
    members = set(MEMBER_STATES.split())
    assert len(members) == 27
    assert members | {"IS", "LI", "NO"} <= REGISTRY.eea
    assert not {"GB", "CH", "US", "RU", "TR"} & REGISTRY.eea
    assert REGISTRY.eea <= COUNTRIES


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("hetzner", "hetzner"),
        ("Hetzner Online GmbH", "hetzner"),
        ("OVH", "ovhcloud"),
        ("Open Telekom Cloud", "open-telekom-cloud"),
        ("AWS", "aws"),
        ("Amazon Web Services", "aws"),
        ("aws eu-central-1", "aws"),
        ("Microsoft Azure", "azure"),
        ("Google Cloud", "google"),
        ("on premise", "on-premise"),
        ("On-Premise", "on-premise"),
    ],
)
def test_names_as_people_write_them(written: str, name: str) -> None:
    provider = REGISTRY.provider(written)
    assert provider
    assert provider.name == name


@pytest.mark.parametrize("written", ["", "---", "my aws", "hetznerx", "Dorpsserver", "\u0430ws"])
def test_names_that_are_not_known(written: str) -> None:
    assert REGISTRY.provider(written) is None


def test_who_is_under_united_states_law() -> None:
    for name in UNITED_STATES.split():
        provider = REGISTRY.provider(name)
        assert provider
        assert provider.control is Control.US, name


def test_only_the_organisation_itself_is_itself() -> None:
    own = {provider.name for provider in REGISTRY.providers.values() if provider.control is Control.SELF}
    assert own == {ON_PREMISE}


def test_what_is_mixed_says_why() -> None:
    for provider in REGISTRY.providers.values():
        assert provider.owner
        assert provider.note or provider.control is not Control.MIXED, provider.name


def test_the_data_is_dated() -> None:
    assert dt.date.fromisoformat(REGISTRY.checked_on) >= dt.date(2026, 11, 1)


def test_the_vendor_of_every_application_is_told_with_its_seat() -> None:
    catalogue = Catalogue.load()
    for application in catalogue.applications:
        vendor = catalogue.release(application).vendor
        assert REGISTRY.vendors[vendor.name].country == vendor.country
        assert REGISTRY.vendors[vendor.name].note
