"""Content security policies, judged as internet.nl does (its line 1.11; rules restated in our own words).

Pure: text in, findings out. Several policies of one answer are merged; unknown directives and values are
passed over.
"""

from __future__ import annotations

import re

_SCHEME_ONLY = re.compile(r"[a-z][a-z0-9+.-]*:")
_HOST = re.compile(
    r"(?:(?P<scheme>[a-z*][a-z0-9+.-]*)://)?(?P<host>\*|(?:\*\.)?[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::(\d+|\*))?(?:/\S*)?"
)
_UNSAFE = ("unsafe-inline", "unsafe-eval", "unsafe-hashes")
_INVALID_HOSTS = ("*", "127.0.0.1")
_SOURCE_DIRECTIVES = frozenset(
    {f"{name}-src" for name in (
        "child", "connect", "default", "fenced-frame", "font", "frame", "img", "manifest", "media", "object",
        "prefetch", "script", "style", "worker",
    )}
    | {"script-src-elem", "script-src-attr", "style-src-elem", "style-src-attr"}
    | {"base-uri", "form-action", "frame-ancestors", "navigate-to"}
)  # fmt: skip

Policy = dict[str, list[str]]


def parse(headers: list[str]) -> Policy:
    """Return the directives of all header values, merged; names in lower case, values as they came."""
    policy: Policy = {}
    for directive in re.split(r"[;,]", ",".join(headers)):
        name, *values = directive.split() or [""]
        if name.lower() in _SOURCE_DIRECTIVES:
            policy.setdefault(name.lower(), []).extend(values)
    return policy


def find_faults(headers: list[str], domain: str) -> list[str]:
    """Return what internet.nl would object to, as ``rule: where``; an empty list passes.

    Args:
        headers: The values of ``Content-Security-Policy``, in order.
        domain: The host name that was asked.
    """
    policy = parse(headers)
    if not policy:
        return ["missing: no content security policy"]
    faults = [fault for name, values in policy.items() for fault in _find_value_faults(name, values)]
    faults += [
        f"has-data: {name}"
        for name in ("script-src", "object-src")
        if "data:" in _lower(policy.get(name, policy.get("default-src", [])))
    ]
    default_is_valid = _keeps_to_itself(policy.get("default-src"), domain)
    if not default_is_valid:
        faults.append("missing-invalid-default-src")
    if not _keeps_to_itself(policy.get("base-uri"), domain):
        faults.append("missing-invalid-base-uri")
    if not default_is_valid and not _names_someone(policy.get("frame-src")):
        faults.append("missing-invalid-frame-src")
    if not {"'self'", "'none'"} & set(_lower(policy.get("frame-ancestors", []))):
        faults.append("missing-invalid-frame-ancestors")
    if not _names_someone(policy.get("form-action")):
        faults.append("missing-invalid-form-action")
    return list(dict.fromkeys(faults))


def stops_scripts(headers: list[str]) -> bool:
    """Tell whether a policy keeps injected scripts from running, which is what it is for.

    True for a ``script-src`` (or the ``default-src`` it falls back to) without ``'unsafe-inline'``, or with a
    nonce or hash, which makes browsers ignore ``'unsafe-inline'``.
    """
    policy = parse(headers)
    values = _lower(policy.get("script-src", policy.get("default-src", ["'unsafe-inline'"])))
    return "'unsafe-inline'" not in values or any(
        re.match(r"'(nonce|sha(256|384|512))-", value) for value in values
    )


def _find_value_faults(name: str, values: list[str]) -> list[str]:
    faults = []
    for value in _lower(values):
        faults += [f"has-{word}: {name}" for word in _UNSAFE if value == f"'{word}'"]
        if value == "http:":
            faults.append(f"has-http: {name}")
        elif value == "https:":
            faults.append(f"has-bare-https: {name}")
        elif (source := _read_host(value)) is not None:
            scheme, host = source
            if scheme in ("http", "*"):
                faults.append(f"has-http: {name} {value}")
            if host in _INVALID_HOSTS:
                faults.append(f"has-invalid-host: {name} {value}")
            elif scheme is None:
                faults.append(f"has-host-without-scheme: {name} {value}")
    return faults


def _read_host(value: str) -> tuple[str | None, str] | None:
    """Return scheme and host of a host source; None for keywords, nonces, hashes and bare schemes."""
    if value.startswith("'") or _SCHEME_ONLY.fullmatch(value):
        return None
    match = _HOST.fullmatch(value)
    return (match["scheme"], match["host"]) if match else None


def _keeps_to_itself(values: list[str] | None, domain: str) -> bool:
    """Tell whether a directive allows nothing but the domain, hosts below it, or a wildcard above it."""
    if not values:
        return False
    lowered = _lower(values)
    if lowered == ["'none'"]:
        return True
    others = [value for value in lowered if value not in ("'self'", "'report-sample'")]
    return "'self'" in lowered and all(_is_own(value, domain.lower()) for value in others)


def _is_own(value: str, domain: str) -> bool:
    source = _read_host(value)
    if source is None:
        return False
    host = source[1]
    return host.endswith(domain) or (host.startswith("*.") and domain.endswith(host[1:]))


def _names_someone(values: list[str] | None) -> bool:
    return any(value in ("'self'", "'none'") or _read_host(value) for value in _lower(values or []))


def _lower(values: list[str]) -> list[str]:
    return [value.lower() for value in values]
