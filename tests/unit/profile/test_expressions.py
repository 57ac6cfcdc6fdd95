"""Ansible evaluates what it is told: no text of a profile reaches it as an expression."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from provisioner.profile.model import Profile

#: A model of everything: each text that a profile may hold, once.
WHOLE: dict[str, Any] = yaml.safe_load(
    """
version: 1
organisation:
  {name: Gemeente, domain: zonnedael.example, country: NL, contact: ict@zonnedael.example, users: 9, language: nl,
   timezone: Europe/Amsterdam}
sovereignty: {level: none}
hosts:
  main:
    address: 10.77.0.11
    provider: on-premise
    location: NL
    ssh:
      user: root
      port: 22
      host_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJnzyZBvxGIYYcmmF1aHZSRDbCwjSPQqnb2ZQKvRzqGQ
      key_file: key
    public_addresses: [192.0.2.11]
    debian: 13
    memory_megabytes: 8192
services:
  files:
    app: nextcloud
    hostname: cloud.zonnedael.example
    host: main
    version: 34.0.1
    data_directory: /srv/files
    reasons: {a: why}
    maintenance_window_start: 1
    trashbin_days: 1
    activity_days: 1
    log_days: 1
    upload_limit: 1G
    trusted_proxies: [10.0.0.1]
    apps_enabled: [photos]
    apps_disabled: [text]
    settings: {a: {b: [c]}}
    secret_settings: {mail_smtppassword: nextcloud_mail_password}
  chat:
    app: mattermost
    hostname: chat.zonnedael.example
    host: main
    version: 11.7.9
    edition: team
    reasons: {ServiceSettings.SiteURL: why}
    license_file: licence
    site_name: Praat
    data_directory: /srv/chat
    upload_limit: 1G
    teams: {ict: {display_name: ICT, channels: {algemeen: {display_name: Algemeen, private: true}}}}
    users:
      anna.devries:
        email: anna@zonnedael.example
        first_name: Anna
        last_name: de Vries
        teams: {ict: [algemeen]}
    plugins:
      com.example.tasks:
        version: 1.2.3
        sha256: abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789
    settings: {ServiceSettings.SiteURL: x}
    secret_settings: {EmailSettings.SMTPPassword: mattermost_mail_password}
  meet:
    app: jitsi
    hostname: meet.zonnedael.example
    host: main
    version: 2.0.11031
    reasons: {a: why}
    videobridges: [main]
    media_port: 10000
    turn: {host: main, hostname: turn.zonnedael.example, tls_port: 5349}
    guests: true
    lobby: true
    settings: {a: {b: [c]}}
portal:
  hostname: www.zonnedael.example
  host: main
  languages: [nl]
  logo_file: logo.svg
  colours: {accent: "#1d4f7c", background: "#ffffff"}
  links:
    imprint: https://zonnedael.example/colofon
    privacy: https://zonnedael.example/privacy
    accessibility: https://zonnedael.example/toegankelijkheid
    security: https://zonnedael.example/veiligheid
  security_contact: ict@zonnedael.example
platform: {database: {host: main}, cache: {host: main}}
tls:
  issuer: acme
  acme: {directory_url: "https://ca.zonnedael.example/d", contact: ict@zonnedael.example, eab_key_id: abc}
  provided: {certificate_file: certificate.pem, key_file: key.pem}
  ca_certificate_file: authority.pem
network: {resolvers: [10.0.0.53], time_servers: [ntp.time.nl], ssh_sources: [10.0.0.0/8]}
releases: {mirror: "https://mirror.zonnedael.example/releases"}
secrets: {vault_password: {file: password, command: pass show x, env: THE_PASSWORD}}
"""
)
EXPRESSIONS = ("{{ 1 }}", "{{lookup('pipe','id')}}", "{%if 1%}x{%endif%}", "{#x#}")

Path = tuple[str | int, ...]


def places(data: Any, path: Path = ()) -> Iterator[Path]:
    """Yield where something stands in a profile's data that is no mapping or list."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))
        else:
            yield (*path, key)


def missing(declared: dict[str, Any], data: Any, path: Path = ()) -> Iterator[Path]:
    """Yield what the schema declares and the data lack."""
    whole = Profile.model_json_schema()
    declared = next((part for part in declared.get("anyOf", ()) if part.get("type") != "null"), declared)
    if reference := declared.get("$ref"):
        declared = whole["$defs"][reference.rpartition("/")[2]]
    below = declared.get("additionalProperties")
    for key, part in declared.get("properties", {}).items():
        if key in data:
            yield from missing(part, data[key], (*path, key))
        else:
            yield (*path, key)
    if isinstance(below, dict) or declared.get("type") == "array":
        assert len(data) > 0, path
    if isinstance(below, dict):
        for key in data:
            yield from missing(below, data[key], (*path, key))


def changed(path: Path, expression: str, *, key: bool) -> dict[str, Any]:
    """Return the data with an expression behind the value at a path, or behind its name."""
    data = copy.deepcopy(WHOLE)
    place: Any = data
    for part in path[:-1]:
        place = place[part]
    if key:
        place[f"{path[-1]}{expression}"] = place.pop(path[-1])
    else:
        place[path[-1]] = f"{place[path[-1]]}{expression}"
    return data


def test_it_is_a_profile_and_has_everything() -> None:
    Profile.model_validate(WHOLE, context={"folder": "/srv"})
    assert not list(missing(Profile.model_json_schema(), WHOLE))


@pytest.mark.parametrize("path", list(places(WHOLE)), ids=lambda path: ".".join(map(str, path)))
def test_no_value_is_an_expression(path: Path) -> None:
    for expression in EXPRESSIONS:
        with pytest.raises(ValidationError):
            Profile.model_validate(changed(path, expression, key=False), context={"folder": "/srv"})


@pytest.mark.parametrize(
    "path",
    sorted({path[:depth] for path in places(WHOLE) for depth in range(1, len(path) + 1)}, key=str),
    ids=lambda path: ".".join(map(str, path)),
)
def test_no_name_is_an_expression(path: Path) -> None:
    if isinstance(path[-1], str):
        with pytest.raises(ValidationError):
            Profile.model_validate(changed(path, EXPRESSIONS[0], key=True), context={"folder": "/srv"})
