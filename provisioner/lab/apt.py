"""The controller's own package sources, read and turned into those of a Debian release for a lab machine.

Formats: sources.list(5), both the one-line and the deb822 style. Pure: text in, text out.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

_CODENAMES = frozenset({"bookworm", "trixie", "stable", "oldstable"})
# Option of a one-line source -> field of a deb822 source.
_TRUST = {"signed-by": "Signed-By", "trusted": "Trusted"}
_POCKETS = ("", "-updates", "-security")
_DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_ONE_LINE = re.compile(
    r"deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>[^#]+)"
)
_SETTING = re.compile(
    r"^(?P<name>Acquire::(?:(?:https?)::|Check-|Retries)\S*) \"(?P<value>.*)\";$", re.MULTILINE
)
_LOOPBACK = re.compile(r"//(?:localhost|127\.|\[::1\])")


@dataclass(frozen=True, slots=True)
class Source:
    """One package source: where, which suite, and the options that say how it is trusted."""

    uri: str
    suite: str
    components: tuple[str, ...]
    options: Mapping[str, str] = field(default_factory=dict)


def parse_one_line(text: str) -> Iterator[Source]:
    """Yield the binary package sources of a ``*.list`` file."""
    for line in text.splitlines():
        if found := _ONE_LINE.match(line.strip()):
            pairs = (option.partition("=") for option in (found["options"] or "").split())
            options = {_TRUST[name]: value for name, _, value in pairs if name in _TRUST}
            yield Source(found["uri"], found["suite"], tuple(found["components"].split()), options)


def parse_deb822(text: str) -> Iterator[Source]:
    """Yield the binary package sources of a ``*.sources`` file, one per URI and suite."""
    for stanza in re.split(r"\n\s*\n", text):
        fields = _fields(stanza)
        if "deb" not in fields.get("Types", "").split() or fields.get("Enabled", "yes").lower() == "no":
            continue
        options = {name: fields[name] for name in _TRUST.values() if name in fields}
        for uri in fields.get("URIs", "").split():
            for suite in fields.get("Suites", "").split():
                yield Source(uri, suite, tuple(fields.get("Components", "").split()), options)


def _fields(stanza: str) -> dict[str, str]:
    """Return the fields of one stanza; a continuation line belongs to the field above it."""
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace():
            fields[name] = f"{fields.get(name, '')}\n{line}"
        elif ":" in line:
            name, value = line.split(":", 1)
            fields[name] = value.strip()
    return fields


def adapt(sources: Iterable[Source], codename: str) -> list[Source]:
    """Return the Debian sources among ``sources``, for another release of Debian.

    Only main, updates and security are taken: a third party's repository of the controller is no part of a
    fresh machine. The list is empty when the controller is not a Debian (then the caller has to choose).
    """
    adapted = []
    for source in sources:
        base, dash, pocket = source.suite.partition("-")
        if (
            base in _CODENAMES
            and dash + pocket in _POCKETS
            and source.uri.startswith(("http://", "https://"))
        ):
            adapted.append(dataclasses.replace(source, suite=codename + dash + pocket))
    return list({(source.uri, source.suite): source for source in adapted}.values())


def default_sources(codename: str) -> list[Source]:
    """Return sources for a controller that is no Debian (Ubuntu has none to lend).

    Debian's mirror in the Netherlands, not the default one, which is behind a content network of a US company.
    """
    trust = {"Signed-By": _DEBIAN_KEYRING}
    return [
        Source("http://ftp.nl.debian.org/debian", codename, ("main",), trust),
        Source("http://ftp.nl.debian.org/debian", f"{codename}-updates", ("main",), trust),
        Source("http://security.debian.org/debian-security", f"{codename}-security", ("main",), trust),
    ]


def render(sources: Iterable[Source]) -> str:
    """Return the text of a ``*.sources`` file."""
    return "\n".join(
        "".join(
            f"{name}: {value}\n"
            for name, value in {
                "Types": "deb",
                "URIs": source.uri,
                "Suites": source.suite,
                "Components": " ".join(source.components),
                **({"Signed-By": _DEBIAN_KEYRING} | dict(source.options)),
            }.items()
        )
        for source in sources
    )


def keyrings(sources: Iterable[Source]) -> list[str]:
    """Return the key files that ``sources`` name beyond Debian's own, for instance a private mirror's."""
    named = {source.options.get("Signed-By", "") for source in sources}
    return sorted(name for name in named if name.startswith("/") and name != _DEBIAN_KEYRING)


def settings(dump: str) -> str:
    """Return those lines of ``apt-config dump`` that say how to fetch: proxy, certificate checks, retries.

    A proxy on the controller's loopback is left out: a machine cannot reach it.
    """
    lines = (found[0] for found in _SETTING.finditer(dump) if not _LOOPBACK.search(found["value"]))
    return "".join(f"{line}\n" for line in lines)
