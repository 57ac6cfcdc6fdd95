"""The profile's format, from the model: a JSON Schema for editors, ``docs/profile.md`` for readers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from provisioner.profile.model import Profile
from provisioner.profile.sovereignty import Control, Registry

_Schema = Mapping[str, Any]
_INTRODUCTION = """\
# The profile

<!-- Made from the model by `sovstack schema --output markdown`; a test holds it up to date. -->

One YAML file, `inventories/NAME/profile.yml`, says what one organisation wants. `sovstack init NAME` writes
one with comments; [`inventories/example/profile.yml`](../inventories/example/profile.yml) is the same, to
read. `sovstack validate` prints every problem with its place and its remedy, and `sovstack schema` a JSON
Schema for editors (`# yaml-language-server: $schema=profile.schema.json` as the file's first line).

Text that looks like a number or like true, false or null needs quotes where text is wanted; `yes`, `no`, `on`
and `off` are text (so `country: NO` is Norway). Anchors, aliases, merge keys, tags and a second document are
refused, as are invisible characters and those that turn the writing direction. A file has at most 256 kB.

Paths on the controller may begin with `~`; a relative one counts from the profile's folder. A profile holds
no secrets. Those that are generated are kept in `secrets.yml` beside it, in ansible-vault format; so are
those that only somebody else can give (`ansible-vault edit secrets.yml`, under `stack_secrets`).
"""
_SOVEREIGNTY = """\
## Sovereignty

`sovereignty.level` is held against each host's `provider` and `location`, and against resolvers, time servers
and the certificate authority; and a setting or app that calls others needs a reason (`services.*.reasons`). It
is about what the profile declares; what a host shows is another matter.

| level | provider | location |
|---|---|---|
| `on-premise` | must be `on-premise` | any |
| `eu-owned` | owner in the EEA; elsewhere is an error, mixed or unknown a warning | in the EEA |
| `eu-located` | any | in the EEA |
| `none` | any | any |

Known providers, as of {checked_on}. These are statements about ownership from public knowledge, not from
register extracts; ownership changes. A provider that is not listed is unknown, and unknown is not European.

"""
_VENDORS = """
Who makes the software is another question, which no level answers: it runs on your hosts, and a vendor that is not
called and has no account there holds no data that anybody could ask it for. What remains is whose decisions your
updates, prices and limits depend on.

"""
_CONTROL_WORDS = {
    Control.SELF: "the organisation itself",
    Control.EEA: "European owner",
    Control.MIXED: "European seat, considerable influence from elsewhere",
    Control.OTHER: "owner outside the European Economic Area",
    Control.US: "owner in the United States (CLOUD Act)",
}


def render_json_schema() -> str:
    """Return the JSON Schema (2020-12) of a profile, ended by a newline."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Profile.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def render_markdown() -> str:
    """Return the text of ``docs/profile.md``."""
    schema = Profile.model_json_schema()
    sections = [_INTRODUCTION, *_sections(schema, schema, ""), _render_providers(Registry.load())]
    return "\n".join(sections)


def _sections(whole: _Schema, part: _Schema, path: str) -> Iterator[str]:
    """Return the section of a mapping, then those of the mappings in it."""
    title = f"## `{path}`" if path else "## Top level"
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    below: list[tuple[str, _Schema]] = []
    for key, declared in part["properties"].items():
        wanted, entries = _resolve(whole, declared), ""
        if "additionalProperties" in wanted and isinstance(wanted["additionalProperties"], dict):
            wanted, entries = _resolve(whole, wanted["additionalProperties"]), ".NAME"
        if "properties" in wanted:
            below.append((f"{path}.{key}{entries}".removeprefix("."), wanted))
        default = "needed" if key in part.get("required", ()) else _render_default(declared)
        meaning = declared.get("description") or wanted["description"]
        rows.append(f"| `{key}` | {_render_kind(whole, declared)} | {default} | {meaning} |")
    yield f"{title}\n\n{part['description']}\n\n" + "\n".join(rows) + "\n"
    for name, wanted in below:
        yield from _sections(whole, wanted, name)


def _resolve(whole: _Schema, declared: _Schema) -> _Schema:
    """Return what a declaration refers to, without the null of an optional value."""
    choices = [choice for choice in declared.get("anyOf", ()) if choice.get("type") != "null"]
    declared = choices[0] if choices else declared
    if reference := declared.get("$ref"):
        found: _Schema = whole["$defs"][reference.rpartition("/")[2]]
        return found
    return declared


def _render_kind(whole: _Schema, declared: _Schema) -> str:
    wanted = _resolve(whole, declared)
    if "const" in wanted:
        return f"`{wanted['const']}`"
    if "enum" in wanted:
        return ", ".join(f"`{choice}`" for choice in wanted["enum"])
    if wanted.get("type") == "array":
        return f"list of {_render_kind(whole, wanted['items'])}"
    if wanted.get("type") == "object":
        return "mapping"
    if wanted.get("type") == "boolean":
        return "`true` or `false`"
    if wanted.get("type") == "integer":
        low, high = wanted.get("minimum"), wanted.get("maximum")
        return f"{low} to {high}" if high is not None else f"at least {low}"
    kind: str = wanted.get("format", "text")
    return {"hostname": "host name", "email": "e-mail address", "uri": "https URL"}.get(kind, kind)


def _render_default(declared: _Schema) -> str:
    default = declared.get("default")
    return f"`{json.dumps(default, ensure_ascii=False)}`".replace('"', "") if default is not None else ""


def _render_providers(registry: Registry) -> str:
    rows = ["| provider | standing | owner | note |", "|---|---|---|---|"]
    known = {provider.name: provider for provider in registry.providers.values()}
    rows += [
        f"| `{entry.name}` | {_CONTROL_WORDS[entry.control]} | {entry.owner} | {entry.note} |"
        for entry in known.values()
    ]
    vendors = ["| vendor | seat | what follows |", "|---|---|---|"]
    vendors += [
        f"| {vendor.name} | {vendor.country} | {vendor.note} |" for vendor in registry.vendors.values()
    ]
    return "\n".join(
        [
            _SOVEREIGNTY.format(checked_on=registry.checked_on) + "\n".join(rows),
            _VENDORS + "\n".join(vendors),
            "",
        ]
    )
