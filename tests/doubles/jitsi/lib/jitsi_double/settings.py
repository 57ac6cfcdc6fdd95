"""What a Java program of Jitsi's is started with: system properties, and the configuration file that one of them names.

Refused are settings that the real program does not have, and values of another kind than its own.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from jitsi_double import hocon, keystore

_INTERFACE = Path(__file__).with_name("interface.json")
_DURATION = re.compile(r"\d+ ?(?:ns|us|ms|s|m|h|d|(?:milli|micro|nano)?seconds?|minutes?|hours?|days?)")
_HEAP = re.compile(r"-Xmx(\d+)([kmg])")
_KINDS: dict[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "number": (int, float),
    "list": (list,),
    "string": (str,),
    "duration": (str, int),
    "any": (object,),
}


class SettingsError(Exception):
    """The program would not start with this."""


class Settings:
    """Settings by their whole name, as ``videobridge.ice.udp.port``."""

    def __init__(self, program: str, arguments: list[str]) -> None:
        """Read what the command line names.

        Args:
            program: Package whose settings are known.
            arguments: What the JVM is started with.

        Raises:
            SettingsError: Something in it is none of the program's.
        """
        self.properties = dict(_properties(arguments))
        try:
            self.values = dict(_flat(hocon.parse(Path(self.properties["config.file"]).read_text())))
        except (KeyError, OSError, hocon.HoconError) as error:
            raise SettingsError(f"configuration: {error}") from error
        known: dict[str, str] = json.loads(_INTERFACE.read_text())[program]
        for name, value in self.values.items():
            kind = known.get(name) or next(
                (kind for pattern, kind in known.items() if "*" in pattern and _matches(name, pattern)), None
            )
            if kind is None:
                raise SettingsError(f"configuration: {name} is no setting of {program}")
            if not _fits(value, kind):
                raise SettingsError(f"configuration: {name} takes a {kind}, not {type(value).__name__}")

    def get(self, name: str, default: Any) -> Any:
        """Return a setting, or what the program does without it."""
        return self.values.get(name, default)

    def need(self, name: str) -> Any:
        """Return a setting.

        Raises:
            SettingsError: The program cannot do without it.
        """
        if name not in self.values:
            raise SettingsError(f"configuration: {name} is missing")
        return self.values[name]

    def groups(self, prefix: str) -> dict[str, dict[str, Any]]:
        """Return the settings below a name, by the names that the configuration made up there."""
        found: dict[str, dict[str, Any]] = {}
        for name, value in self.values.items():
            if name.startswith(f"{prefix}."):
                group, _, key = name.removeprefix(f"{prefix}.").partition(".")
                found.setdefault(group, {})[key] = value
        return found

    def tls(self) -> ssl.SSLContext:
        """Return what the program trusts: the store of the system property, else the system's authorities.

        Raises:
            SettingsError: Java would not open the store.
        """
        context = ssl.create_default_context()
        if (store := self.properties.get("javax.net.ssl.trustStore")) is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            password = self.properties.get("javax.net.ssl.trustStorePassword", "changeit")
            try:
                for certificate in keystore.certificates(Path(store), password):
                    context.load_verify_locations(cadata=certificate)
            except (OSError, keystore.KeystoreError) as error:
                raise SettingsError(f"trust store: {error}") from error
        return context


def _properties(arguments: list[str]) -> Iterator[tuple[str, str]]:
    heaps = [argument for argument in arguments if argument.startswith("-Xmx")]
    if len(heaps) != 1 or not _HEAP.fullmatch(heaps[0]):
        raise SettingsError(f"Invalid maximum heap size: {' '.join(heaps)}")
    for argument in arguments:
        if argument.startswith("-D"):
            name, _, value = argument.removeprefix("-D").partition("=")
            yield name, value
        elif not argument.startswith("-X"):
            raise SettingsError(f"Unrecognized option: {argument}")


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _matches(name: str, pattern: str) -> bool:
    """Whether a name fits; a star in the pattern stands for one word."""
    words, patterns = name.split("."), pattern.split(".")
    return len(words) == len(patterns) and all(map(fnmatchcase, words, patterns))


def _fits(value: Any, kind: str) -> bool:
    if kind == "duration" and isinstance(value, str):
        return _DURATION.fullmatch(value) is not None
    if isinstance(value, bool):
        return kind in {"boolean", "any"}
    # A bare word is a string in HOCON, and a number can be one.
    return isinstance(value, (*_KINDS[kind], int) if kind == "string" else _KINDS[kind])
