"""What is particular to archives of Mattermost's plugins: each says in its manifest which one it is.

The manifest stands in the top folder and is JSON or YAML, as Mattermost reads it (``FindManifest`` in its
``server/public/model/manifest.go``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import yaml

from provisioner.releases.identity import Identity

if TYPE_CHECKING:
    from provisioner.releases.archive import Inspection
    from provisioner.releases.catalogue import Release


def keep(path: str) -> bool:
    """Say whether the content of this file is needed to identify the archive."""
    return path in _READERS


def identify(inspection: Inspection, release: Release) -> Identity:
    """Return what the archive's manifest says: an id and a version, held against those that were asked for."""
    found = [name for name in _READERS if name in inspection.kept]
    if not found:
        return Identity("", f"it has no {inspection.root}/plugin.json, so it is no Mattermost plugin")
    if len(found) > 1:
        return Identity("", f"it has both {' and '.join(found)}, which need not say the same")
    try:
        manifest = _READERS[found[0]](inspection.kept[found[0]])
    except (ValueError, RecursionError, yaml.YAMLError):
        return Identity("", f"its {found[0]} cannot be read")
    told = manifest if isinstance(manifest, Mapping) else {}
    # Mattermost knows a plugin by its id in lower case.
    said, version = str(told.get("id", "")).lower(), str(told.get("version", ""))
    name = ascii(f"{said} {version}".strip())[1:-1][:200]
    if (said, version) != (release.plugin, release.version):
        return Identity(
            name,
            f"by its {found[0]} it is {name or 'nothing'}, and {release.plugin} {release.version} was asked for",
        )
    return Identity(f"the Mattermost plugin {name}")


def _read_json(content: bytes) -> object:
    return json.loads(content, object_pairs_hook=_refuse_ambiguity)


def _refuse_ambiguity(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse two names that are one to Mattermost, whose reader of JSON does not look at case."""
    if len({name.casefold() for name, _ in pairs}) < len(pairs):
        raise ValueError("a name stands there twice")
    return dict(pairs)


def _read_yaml(content: bytes) -> object:
    # A version such as 1.10 stays the text that it is.
    return yaml.load(content, Loader=yaml.BaseLoader)  # noqa: S506  it makes nothing but text, lists and mappings


_READERS: Mapping[str, Callable[[bytes], object]] = {
    "plugin.yml": _read_yaml,
    "plugin.yaml": _read_yaml,
    "plugin.json": _read_json,
}
