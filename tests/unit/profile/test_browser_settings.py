"""Which settings of Jitsi Meet lead browsers elsewhere, read as a browser reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.profile import browser_settings

OWN = frozenset({"meet.zonnedael.example", "turn.zonnedael.example"})


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"giphy": {"enabled": False, "sdkKey": "x"}}, []),
        ({"giphy": {"enabled": True}}, ["giphy"]),
        ({"giphy": {}}, []),
        ({"analytics": {"disabled": True, "amplitudeAPPKey": "x"}}, []),
        ({"analytics": {"amplitudeAPPKey": "x"}}, ["analytics"]),
        ({"analytics": {"disabled": True, "watchRTCEnabled": True}}, ["analytics.watchRTCEnabled"]),
        ({"enableCalendarIntegration": False}, []),
        ({"enableCalendarIntegration": True}, ["enableCalendarIntegration"]),
        ({"disableThirdPartyRequests": True}, []),
        ({"disableThirdPartyRequests": False}, ["disableThirdPartyRequests"]),
        ({"gravatar": {"disabled": True}}, []),
        ({"gravatar": {"disabled": False}}, ["gravatar.disabled"]),
        ({"gravatar": {"baseUrl": "/avatar/"}}, []),
        ({"gravatar": None}, ["gravatar"]),
        ({"p2p": {"enabled": False}}, []),
        ({"p2p": {"stunServers": []}}, []),
        ({"p2p": {"stunServers": None}}, ["p2p.stunServers"]),
        ({"p2p": False}, ["p2p"]),
    ],
)
def test_switches_that_let_the_page_ask_somebody(settings: dict[str, object], found: list[str]) -> None:
    assert [".".join(map(str, path)) for path in browser_settings.switches(settings)] == found


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("https://draw.elsewhere.example/base", "draw.elsewhere.example"),
        ("https://somebody:word@Elsewhere.example", "elsewhere.example"),
        ("//cdn.elsewhere.example/logo.png", "cdn.elsewhere.example"),
        ("url(https://elsewhere.example/a.png)", "elsewhere.example"),
        ("wss://[2001:db8::1]:8443/", "[2001:db8::1]"),
        ("stun:stun.elsewhere.example:3478", "stun.elsewhere.example"),
        ("turns:turn.elsewhere.example?transport=tcp", "turn.elsewhere.example"),
        ("https://meet.zonnedael.example.elsewhere.example", "meet.zonnedael.example.elsewhere.example"),
        ("https://meet.zonnedael.example/static/logo.png", None),
        ("stun:turn.zonnedael.example:3478", None),
        ("images/logo.svg", None),
        ("a: b", None),
        (25, None),
    ],
)
def test_addresses_of_other_names(value: object, host: str | None) -> None:
    found = list(browser_settings.hosts({"some": {"where": [0, value]}}, OWN))
    assert found == ([(("some", "where", 1), host)] if host else [])


def test_links_that_people_follow_are_let_be() -> None:
    links = {
        "legalUrls": {"terms": "https://elsewhere.example"},
        "helpCentreURL": "https://elsewhere.example",
    }
    assert not list(browser_settings.hosts(links, OWN))


@given(st.dictionaries(st.text(max_size=5), st.recursive(st.text() | st.booleans() | st.none(), st.lists)))
def test_any_text_can_be_read(settings: dict[str, object]) -> None:
    list(browser_settings.switches(settings))
    list(browser_settings.hosts(settings, OWN))
