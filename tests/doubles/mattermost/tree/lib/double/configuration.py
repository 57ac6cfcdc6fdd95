"""The configuration: JSON in a file or a database, and over it the environment, which locks what it sets.

The real server passes over a variable that it does not know and one that it cannot read. This double refuses to start
with either, because a role that sets one means something by it.
"""

from __future__ import annotations

import copy
import hashlib
import ipaddress
import json
import os
import re
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .contract import INTERFACE, ROOT, ApiError, Refusal, new_id, now
from .database import Database, migrate

_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")
_SETTINGS: dict[str, dict[str, list[Any]]] = INTERFACE["settings"]
_RULES: dict[str, Any] = INTERFACE["rules"]
_PYTHON: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "random": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "strings": (list,),
    "json": (dict, list),
}


class FileStore:
    """A configuration in a file."""

    def __init__(self, name: str) -> None:
        self.path = _find_file(name)

    def load(self) -> str:
        if not self.path.exists():
            self.path.touch(0o600)
        return self.path.read_text()

    def save(self, text: str) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)


class DatabaseStore:
    """A configuration in a database, every one that was in force kept."""

    def __init__(self, source: str) -> None:
        # The real server keeps no idle session for its configuration (server/config/database.go).
        self._database = Database(source, 1)
        migrate(self._database, configuration=True)

    def load(self) -> str:
        with self._database.transaction() as connection:
            rows = connection.query("SELECT value FROM configurations WHERE active")
        return str(rows[0]["value"]) if rows else ""

    def save(self, text: str) -> None:
        digest = hashlib.sha256(text.encode()).hexdigest()
        with self._database.transaction() as connection:
            if connection.query("SELECT id FROM configurations WHERE active AND sha = $1", digest):
                return
            connection.query("UPDATE configurations SET active = NULL WHERE active")
            insert = (
                "INSERT INTO configurations (id, value, createat, active, sha) VALUES ($1, $2, $3, true, $4)"
            )
            connection.query(insert, new_id(), text, now(), digest)


def open_store(name: str) -> FileStore | DatabaseStore:
    """Return the store that ``--config`` or ``MM_CONFIG`` names: a file, or a database by its URL.

    Raises:
        DatabaseError: The database is not there.
    """
    return DatabaseStore(name) if name.startswith(("postgres://", "postgresql://")) else FileStore(name)


def _find_file(name: str) -> Path:
    path = Path(name)
    if path.is_absolute():
        return path
    for folder in (Path("config"), Path(), ROOT / "config"):
        if (folder / path).is_file():
            return (folder / path).absolute()
    return ROOT / "config" / path


class Configuration:
    """The settings in force, by ``Section.Key``."""

    def __init__(
        self, store: FileStore | DatabaseStore, environment: Mapping[str, str], *, read_only: bool = False
    ) -> None:
        """Load what is stored, and lay the environment over it.

        Like the real one, a server writes it back as soon as it has read it; ``db`` commands do not.

        Raises:
            Refusal: A setting or variable does not exist, or has the wrong type.
            ApiError: A setting has a value that the real server refuses.
            OSError: The file cannot be read, or not be written.
        """
        self._store = store
        self._lock = threading.RLock()
        self._locked = dict(_read_environment(environment))
        self._stored = self._load()
        self._effective = self._overlay(self._stored)
        if not read_only:
            self._persist()

    def _load(self) -> dict[str, dict[str, Any]]:
        stored = json.loads(self._store.load().strip() or "{}")
        _require_known(stored, "the stored configuration")
        return _complete(stored)

    def __getitem__(self, name: str) -> Any:
        section, key = name.split(".")
        return self._effective[section][key]

    def as_json(self) -> dict[str, dict[str, Any]]:
        """Return the settings in force, by section and key."""
        return copy.deepcopy(self._effective)

    def locked(self) -> dict[str, dict[str, bool]]:
        """Return which settings the environment decides."""
        found: dict[str, dict[str, bool]] = {}
        for name in self._locked:
            section, key = name.split(".")
            found.setdefault(section, {})[key] = True
        return found

    def change(self, patch: Mapping[str, Any]) -> None:
        """Lay a part of a configuration over the stored one; what the environment decides stays as it is.

        Raises:
            ApiError: The patch names a setting that does not exist, or a value that is refused.
        """
        try:
            _require_known(patch, "the patch")
        except Refusal as refusal:
            raise ApiError("api.config.update_config.app_error", 400, str(refusal)) from refusal
        with self._lock:
            stored = copy.deepcopy(self._stored)
            for section, values in patch.items():
                if section in stored:
                    named = {
                        key: value for key, value in values.items() if f"{section}.{key}" not in self._locked
                    }
                    stored[section] |= named
            self._effective = self._overlay(stored)
            self._stored = stored
            self._persist()

    def reload(self) -> None:
        """Read again what is stored."""
        with self._lock:
            self._stored = self._load()
            self._effective = self._overlay(self._stored)

    def _overlay(self, stored: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        effective = {section: dict(copy.deepcopy(values)) for section, values in stored.items()}
        for name, value in self._locked.items():
            section, key = name.split(".")
            effective.setdefault(section, {})[key] = value
        effective["ServiceSettings"]["SiteURL"] = effective["ServiceSettings"]["SiteURL"].rstrip("/")
        if effective["FileSettings"]["DriverName"] == "local" and effective["FileSettings"]["Directory"]:
            effective["FileSettings"]["Directory"] = effective["FileSettings"]["Directory"].rstrip("/") + "/"
        _require_valid(effective)
        return effective

    def _persist(self) -> None:
        self._store.save(json.dumps(self._stored, indent=4))


def _complete(stored: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    complete: dict[str, dict[str, Any]] = {}
    for section, keys in _SETTINGS.items():
        complete[section] = {}
        for key, (kind, default) in keys.items():
            missing = (new_id() + new_id())[:32] if kind == "random" else copy.deepcopy(default)
            complete[section][key] = stored.get(section, {}).get(key, missing)
    return complete


def _read_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    names = {
        f"{section}_{key}".upper(): f"{section}.{key}" for section, keys in _SETTINGS.items() for key in keys
    }
    flags = {f"FEATUREFLAGS_{flag}".upper() for flag in INTERFACE["feature_flags"]}
    for variable, text in sorted(environment.items()):
        if not variable.startswith("MM_") or variable in INTERFACE["environment"]:
            continue
        short = variable.removeprefix("MM_")
        if short in flags:
            continue
        if short not in names:
            raise Refusal(f"Mattermost has no setting {variable}")
        section, key = names[short].split(".")
        yield names[short], _read(variable, _SETTINGS[section][key][0], text)


def _read(variable: str, kind: str, text: str) -> Any:
    if kind == "boolean" and text in _TRUE + _FALSE:
        return text in _TRUE
    if kind == "integer" and re.fullmatch(r"[+-]?\d+", text):
        return int(text)
    if kind == "strings":
        return text.split(" ")
    if kind == "json":
        try:
            return json.loads(text)
        except ValueError as error:
            raise Refusal(f"{variable} holds no JSON: {error}") from error
    if kind in ("string", "random"):
        return text
    raise Refusal(f"{variable} must be of type {kind}")


def _require_known(stored: Mapping[str, Any], where: str) -> None:
    for section, values in stored.items():
        if section == "FeatureFlags":
            continue
        if section not in _SETTINGS or not isinstance(values, Mapping):
            raise Refusal(f"Mattermost has no section {section!r} ({where})")
        for key, value in values.items():
            if key not in _SETTINGS[section]:
                raise Refusal(f"Mattermost has no setting {section}.{key} ({where})")
            kind, default = _SETTINGS[section][key]
            if not isinstance(value, _PYTHON[kind]) and not (value is None and default in (None, [], {})):
                raise Refusal(f"{section}.{key} must be of type {kind} ({where})")
            if kind == "integer" and isinstance(value, bool):
                raise Refusal(f"{section}.{key} must be of type integer ({where})")


def _require_valid(settings: Mapping[str, Mapping[str, Any]]) -> None:
    def value(name: str) -> Any:
        section, key = name.split(".")
        return settings[section][key]

    def require(name: str, fine: object) -> None:
        if not fine:
            raise ApiError("model.config.is_valid.app_error", 400, f"invalid config: {name}={value(name)!r}")

    for name, choices in _RULES["one_of"].items():
        require(name, value(name) in choices)
    for name, least in _RULES["at_least"].items():
        require(name, value(name) >= least)
    for name in _RULES["not_empty"]:
        require(name, value(name))
    for name, most in _RULES["at_most_characters"].items():
        require(name, len(value(name).encode()) <= most)
    for name in ("SqlSettings.AtRestEncryptKey", "FileSettings.PublicLinkSalt"):
        require(name, value(name) == "" or len(value(name)) >= 32)
    for name in ("ServiceSettings.SiteURL", "ServiceSettings.WebsocketURL"):
        require(
            name,
            value(name) == "" or urllib.parse.urlsplit(value(name)).scheme or value(name).startswith("/"),
        )
    threads = value("ServiceSettings.CollapsedThreads") != "disabled"
    require("ServiceSettings.CollapsedThreads", not threads or value("ServiceSettings.ThreadAutoFollow"))
    require("ServiceSettings.ListenAddress", _is_address(value("ServiceSettings.ListenAddress")))
    socket = Path(value("ServiceSettings.LocalModeSocketLocation"))
    require(
        "ServiceSettings.LocalModeSocketLocation",
        not value("ServiceSettings.EnableLocalMode") or socket.parent.is_dir(),
    )


def split_address(text: str) -> tuple[str, int]:
    """Return host and port of a listen address; an empty host means every address."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def _is_address(text: str) -> bool:
    try:
        host, port = split_address(text)
    except ValueError:
        return False
    name = re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", host)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return 0 <= port <= 65535 and (not host or name is not None)
    return 0 <= port <= 65535
