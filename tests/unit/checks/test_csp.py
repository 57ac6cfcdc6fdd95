"""Golden cases of internet.nl's rules, and each rule on its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.checks.outside.csp import find_faults, stops_scripts

DOMAIN = "chat.x.nl"
STRICT = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
REST = "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

PASSING = {
    "strict": STRICT,
    "rich": (
        "default-src 'self'; img-src 'self' data: blob:; connect-src 'self' wss://meet.x.nl; "
        "frame-src https://meet.x.nl; base-uri 'self'; form-action 'self'; "
        "frame-ancestors 'self' https://cloud.x.nl"
    ),
    "style hash": STRICT + "; style-src 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",
    "worker blob": STRICT + "; worker-src blob:",
    "wildcard parent": "default-src 'self' https://*.x.nl" + REST,
    "nonce and strict-dynamic": STRICT + "; script-src 'nonce-abc' 'strict-dynamic' 'wasm-unsafe-eval'",
    "report-sample": "default-src 'self' 'report-sample'" + REST,
    "subdomain": "default-src 'self' https://static.chat.x.nl" + REST,
    "unknown directive": STRICT + "; trusted-types 'allow-duplicates'; upgrade-insecure-requests",
    "upper case": STRICT.upper(),
    "form to anyone by name": STRICT.replace("form-action 'none'", "form-action https://pay.example"),
}

FAILING = {
    "unsafe-inline in style": (
        STRICT + "; style-src 'self' 'unsafe-inline'",
        {"has-unsafe-inline: style-src"},
    ),
    "unsafe-eval": (STRICT + "; script-src 'unsafe-eval'", {"has-unsafe-eval: script-src"}),
    "unsafe-hashes": (STRICT + "; style-src 'unsafe-hashes'", {"has-unsafe-hashes: style-src"}),
    "mattermost": (
        "frame-ancestors 'self'; script-src 'self'",
        {
            "missing-invalid-default-src",
            "missing-invalid-base-uri",
            "missing-invalid-frame-src",
            "missing-invalid-form-action",
        },
    ),
    "nonce in default-src": (
        "default-src 'self' 'nonce-abc'" + REST,
        {"missing-invalid-default-src", "missing-invalid-frame-src"},
    ),
    "sibling in default-src": (
        "default-src 'self' https://meet.x.nl; frame-src 'none'" + REST,
        {"missing-invalid-default-src"},
    ),
    "foreign ancestor only": (
        STRICT.replace("frame-ancestors 'none'", "frame-ancestors https://cloud.x.nl"),
        {"missing-invalid-frame-ancestors"},
    ),
    "http scheme": (STRICT + "; img-src http:", {"has-http: img-src"}),
    "http host": (STRICT + "; img-src http://a.example", {"has-http: img-src http://a.example"}),
    "any scheme": (STRICT + "; img-src *://a.example", {"has-http: img-src *://a.example"}),
    "bare https": (STRICT + "; img-src https:", {"has-bare-https: img-src"}),
    "host without scheme": (STRICT + "; img-src a.example", {"has-host-without-scheme: img-src a.example"}),
    "star": (STRICT + "; img-src *", {"has-invalid-host: img-src *"}),
    "loopback": (
        STRICT + "; img-src https://127.0.0.1:80",
        {"has-invalid-host: img-src https://127.0.0.1:80"},
    ),
    "data scripts": (STRICT + "; script-src data:", {"has-data: script-src"}),
    "data by fallback": (
        "default-src 'self' data:; frame-src 'self'" + REST,
        {"has-data: script-src", "has-data: object-src", "missing-invalid-default-src"},
    ),
    "nothing": ("", {"missing: no content security policy"}),
    "two policies in one": (f"{STRICT}, style-src 'unsafe-inline'", {"has-unsafe-inline: style-src"}),
}


@pytest.mark.parametrize("policy", PASSING.values(), ids=PASSING)
def test_policy_passes(policy: str) -> None:
    assert find_faults([policy], DOMAIN) == []


@pytest.mark.parametrize(("policy", "faults"), FAILING.values(), ids=FAILING)
def test_policy_fails(policy: str, faults: set[str]) -> None:
    assert set(find_faults([policy], DOMAIN)) == faults


def test_headers_are_merged() -> None:
    assert find_faults([STRICT, "style-src 'unsafe-inline'"], DOMAIN) == ["has-unsafe-inline: style-src"]


@given(st.lists(st.text(max_size=80), max_size=3))
def test_any_text_gives_faults_and_no_exception(headers: list[str]) -> None:
    assert find_faults(headers, DOMAIN)


@pytest.mark.parametrize(
    ("policy", "stops"),
    [
        ("script-src 'self'", True),
        ("default-src 'self'", True),
        ("script-src 'nonce-abc' 'unsafe-inline'", True),
        ("script-src 'self' 'unsafe-inline'", False),
        ("default-src 'self' 'unsafe-inline'", False),
        ("img-src 'self'", False),
        ("", False),
    ],
)
def test_policy_stops_injected_scripts(policy: str, stops: bool) -> None:
    assert stops_scripts([policy]) is stops
