"""What a security.txt must say (RFC 9116), judged as internet.nl does; rules restated in our own words.

Pure: text in, findings out.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

PATH = "/.well-known/security.txt"
LEAST_DAYS, MOST_DAYS = 30, 364
_LARGEST_BYTES = 100_000
_ADDRESS = re.compile(r"(?:https://\S+|mailto:\S+@\S+|tel:\S+)\Z")
_ONCE = ("expires", "preferred-languages")
_HTTPS_ONLY = ("canonical", "policy", "acknowledgments", "encryption", "hiring")


def find_faults(content: bytes, url: str, now: datetime) -> list[str]:
    """Return what is wrong with a file; an empty list passes.

    Args:
        content: The file as it came.
        url: Where it came from; it has to be one of the file's own addresses, if it names any.
        now: The present, with its time zone.
    """
    if len(content) > _LARGEST_BYTES:
        return [f"has more than {_LARGEST_BYTES} bytes"]
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return ["is not UTF-8"]
    faults = [] if text.endswith("\n") else ["its last line has no end"]
    fields: dict[str, list[str]] = {}
    for line in re.split(r"\r?\n", text):
        if line and not line.startswith("#"):
            name, colon, value = line.partition(": ")
            if not colon or not re.fullmatch(r"[A-Za-z0-9-]+", name) or value != value.strip():
                faults.append(f"is not of the form `Name: value`: {line[:80]!r}")
            fields.setdefault(name.lower(), []).append(value)
    faults += [f"has {name} more than once" for name in _ONCE if len(fields.get(name, ())) > 1]
    faults += _find_address_faults(fields)
    if (own := fields.get("canonical")) and url not in own:
        faults.append(f"does not name {url} as Canonical")
    return faults + _find_end_faults(fields.get("expires", []), now)


def _find_address_faults(fields: dict[str, list[str]]) -> list[str]:
    faults = [] if fields.get("contact") else ["has no Contact"]
    faults += [
        f"has a contact that is no https, mailto or tel address: {contact}"
        for contact in fields.get("contact", ())
        if not _ADDRESS.match(contact)
    ]
    faults += [
        f"has a {name} that is no https address: {value}"
        for name in _HTTPS_ONLY
        for value in fields.get(name, ())
        if not value.startswith("https://")
    ]
    return faults


def _find_end_faults(ends: list[str], now: datetime) -> list[str]:
    if not ends:
        return ["has no Expires"]
    try:
        end = datetime.fromisoformat(ends[0])
        days = (end - now) / timedelta(days=1)
    except (ValueError, TypeError):  # TypeError: no time zone
        return [f"has an Expires that is no moment with a time zone (RFC 3339): {ends[0]}"]
    if days < LEAST_DAYS:
        return [f"ends in {int(days)} days, at {ends[0]}" if days > 0 else f"ended at {ends[0]}"]
    return [f"ends only in {int(days)} days, at {ends[0]}"] if days > MOST_DAYS else []
