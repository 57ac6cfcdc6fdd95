"""Plugins: archives among the files of the server, unpacked at its start, and never run.

As the real one does: what it unpacked before goes at every start; what somebody else put there stays, and
so do the scripts of plugins that went.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .configuration import Configuration
from .contract import VERSION

# The real one's mark of what it unpacked itself.
_MANAGED = ".filestore"
_MANIFESTS = ("plugin.yml", "plugin.yaml", "plugin.json")


def install_all(configuration: Configuration) -> list[str]:
    """Unpack every plugin that lies among the files, and return which cannot be."""
    problems: list[str] = []
    if not configuration["PluginSettings.Enable"]:
        return problems
    folder = Path(configuration["PluginSettings.Directory"])
    client = Path(configuration["PluginSettings.ClientDirectory"])
    for managed in folder.glob(f"*/{_MANAGED}"):
        shutil.rmtree(managed.parent)
    for archive in sorted(Path(configuration["FileSettings.Directory"], "plugins").glob("*.tar.gz")):
        try:
            _install(archive, folder, client)
        except (OSError, ValueError, KeyError, tarfile.TarError) as error:
            problems.append(f"Failed to install plugin {archive.name}: {error}")
    return problems


def installed(folder: Path) -> Iterator[dict[str, Any]]:
    """Give the manifest of each plugin that is unpacked."""
    for path in sorted(folder.glob("[!.]*/plugin.json")):
        yield _read(path.read_bytes())


def is_active(configuration: Configuration, manifest: dict[str, Any]) -> bool:
    """Tell whether a plugin is on and would run on a server of this version."""
    states = configuration["PluginSettings.PluginStates"]
    wanted, here = (
        [int(part) for part in version.split(".")]
        for version in (manifest.get("min_server_version", "0"), VERSION)
    )
    return bool(states.get(manifest["id"], {}).get("Enable")) and wanted <= here


def _install(archive: Path, folder: Path, client: Path) -> None:
    fresh = folder / f".{archive.name}"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    try:
        with tarfile.open(archive, "r:gz") as content:
            for entry in content:
                _unpack(content, entry, fresh)
        entries = list(fresh.iterdir())
        root = entries[0] if len(entries) == 1 and entries[0].is_dir() else fresh
        found = [name for name in _MANIFESTS if (root / name).exists()]
        if not found:
            raise ValueError("it has no plugin.json")
        if found[0] != "plugin.json":
            raise ValueError(f"the double does not play {found[0]}")
        manifest = _read((root / found[0]).read_bytes())
        name = manifest["id"]
        if not re.fullmatch(r"[a-z0-9_.-]{3,190}", name) or (folder / name).parent != folder:
            raise ValueError(f"{name!r} is no name of a plugin")
        shutil.rmtree(folder / name, ignore_errors=True)
        root.rename(folder / name)
        (folder / name / _MANAGED).touch()
        if "webapp" in manifest:
            _hand_out(folder / name / manifest["webapp"]["bundle_path"], client / name)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _hand_out(bundle: Path, target: Path) -> None:
    """Put the script for browsers where they get it, whether the plugin is on or not."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    digest = hashlib.sha256(bundle.read_bytes()).hexdigest()[:16]
    shutil.copyfile(bundle, target / f"{target.name}_{digest}_bundle.js")


def _unpack(content: tarfile.TarFile, entry: tarfile.TarInfo, fresh: Path) -> None:
    path = fresh / entry.name
    # Debian 12's tarfile has no filters yet.
    if not path.resolve().is_relative_to(fresh.resolve()):
        raise ValueError(f"{entry.name} lies outside")
    source = content.extractfile(entry) if entry.isfile() else None
    if entry.isdir():
        path.mkdir(parents=True, exist_ok=True)
    elif source:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source.read())
    else:
        raise ValueError(f"{entry.name} is neither a file nor a folder")


def _read(content: bytes) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(content)
    return {**manifest, "id": str(manifest["id"]).lower()}
