"""The web server's redirect and security headers, on the first answer to ``/`` as internet.nl reads it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from provisioner.checks.outside import csp
from provisioner.checks.outside.http import fetch, fetch_plain
from provisioner.checks.outside.promise import Finding, NoEvidence, Promise, judge
from provisioner.checks.outside.target import WebTarget
from provisioner.checks.result import Verdict

_YEAR_SECONDS = 31_536_000
_REDIRECTS = (301, 302, 303, 307, 308)
_CSP = "content-security-policy"


def check_redirect(target: WebTarget) -> Finding:
    """Plain HTTP leads to HTTPS on the same host name in one step, or is closed."""
    response = fetch_plain(target, "/")
    if response is None:
        fetch(target, "/", trusted=False)  # closed means something only where the service itself answers
        return Finding(Verdict.PASS, f"port {target.http_port} is closed")
    location = response.first("location")
    where = urlsplit(location)
    right = response.status in _REDIRECTS and where.scheme == "https" and where.hostname == target.hostname
    seen = f"{response.status} to {location or 'nowhere'}"
    return Finding(Verdict.PASS if right else Verdict.FAIL, seen)


def check_strict_transport(target: WebTarget) -> Finding:
    """``Strict-Transport-Security`` of at least a year; the first header counts (RFC 6797, 8.1)."""
    value = fetch(target, "/", trusted=False).first("strict-transport-security")
    age = re.search(r'(?:^|;)\s*max-age\s*=\s*"?(\d+)"?\s*(?:;|$)', value, re.IGNORECASE)
    right = age is not None and int(age[1]) >= _YEAR_SECONDS
    return Finding(Verdict.PASS if right else Verdict.FAIL, value or "no such header")


def check_headers(target: WebTarget) -> Finding:
    """The first X-Frame-Options and X-Content-Type-Options count, and the last Referrer-Policy."""
    response = fetch(target, "/", trusted=False)
    frame = response.first("x-frame-options")
    sniff = response.first("x-content-type-options")
    referrer = ",".join(response.values("referrer-policy")).rpartition(",")[2].strip()
    problems = []
    if frame.upper() not in ("DENY", "SAMEORIGIN"):
        problems.append(f"X-Frame-Options: {frame or 'absent'}")
    if sniff.lower() != "nosniff":
        problems.append(f"X-Content-Type-Options: {sniff or 'absent'}")
    if referrer not in ("no-referrer", "same-origin"):
        problems.append(f"Referrer-Policy: {referrer or 'absent'}")
    return judge(problems, f"{frame}, {sniff}, {referrer}")


def check_root_policy(target: WebTarget) -> Finding:
    """The policy on the answer to ``/`` itself, also when that is a redirect."""
    policies = fetch(target, "/", trusted=False).values(_CSP)
    return judge(csp.find_faults(policies, target.hostname), ", ".join(policies))


def check_application_policy(target: WebTarget) -> Finding:
    """The policy of a page of the application: it must stop injected scripts; other faults are listed."""
    response = fetch(target, target.page, trusted=False)
    if response.status in _REDIRECTS:
        raise NoEvidence(f"{target.page} leads on to {response.first('location')}: name a page that answers")
    policies = response.values(_CSP)
    faults = csp.find_faults(policies, target.hostname)
    right = bool(policies) and csp.stops_scripts(policies)
    seen = f"on {target.page}: {'; '.join(faults) or 'nothing to object to'}"
    return Finding(Verdict.PASS if right else Verdict.WARN, seen, ", ".join(policies))


WEB_PROMISES: tuple[Promise[WebTarget], ...] = (
    Promise(
        "WEB-HTTPS",
        "Plain HTTP leads to HTTPS at once",
        "The first redirect goes to https on the same host name, or the port is closed",
        "Let port 80 answer 301 to https://$host$request_uri, before any other redirect.",
        check_redirect,
    ),
    Promise(
        "WEB-HSTS",
        "Browsers are told to use HTTPS only",
        f"Strict-Transport-Security with max-age of at least {_YEAR_SECONDS} on the first answer",
        "Repeat the header in every nginx location that has an add_header of its own.",
        check_strict_transport,
    ),
    Promise(
        "WEB-HDR",
        "Framing, content sniffing and referrers are restricted",
        "X-Frame-Options SAMEORIGIN or DENY; nosniff; Referrer-Policy no-referrer or same-origin",
        "Include the nginx role's snippet of security headers, and hide the application's own.",
        check_headers,
    ),
    Promise(
        "WEB-CSP-ROOT",
        "The content security policy of the start address meets internet.nl's rules",
        "No fault by internet.nl's rules on the answer to /, redirects not followed",
        "Let nginx answer / itself with a redirect and a strict policy; hide the application's header there.",
        check_root_policy,
    ),
    Promise(
        "WEB-CSP-APP",
        "The application's pages have a content security policy that stops injected scripts",
        "script-src without 'unsafe-inline', or with a nonce; other faults are listed as information",
        "The policy is the application's own: report it upstream.",
        check_application_policy,
    ),
)
