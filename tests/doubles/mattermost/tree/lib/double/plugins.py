"""Plugins: archives among the files of the server, unpacked at its start and never run."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .configuration import Configuration


def install_all(configuration: Configuration) -> list[str]:
    """Unpack every plugin that lies among the files, in place of the one before, and return what cannot be."""
    problems: list[str] = []
    if not configuration["PluginSettings.Enable"]:
        return problems
    folder = Path(configuration["PluginSettings.Directory"])
    for archive in sorted(Path(configuration["FileSettings.Directory"], "plugins").glob("*.tar.gz")):
        try:
            _install(archive, folder)
        except (OSError, ValueError, tarfile.TarError) as error:
            problems.append(f"Failed to install plugin {archive.name}: {error}")
    return problems


def _install(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as content:
        manifests = [
            name for name in content.getnames() if name.count("/") < 2 and Path(name).name == "plugin.json"
        ]
        if not manifests:
            raise ValueError("it has no plugin.json")
        file = content.extractfile(manifests[0])
        name = json.load(file)["id"] if file else ""
        target = folder / name
        if not name or target.parent != folder:
            raise ValueError(f"{name!r} is no name of a plugin")
        fresh = folder / f".{name}"
        for old in (fresh, target):
            shutil.rmtree(old, ignore_errors=True)
        for entry in content:
            path = (fresh / entry.name).resolve()
            source = content.extractfile(entry) if entry.isfile() else None
            # Debian 12's tarfile has no filters yet.
            if source and path.is_relative_to(fresh.resolve()):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(source.read())
    (fresh / manifests[0]).parent.rename(target)
    shutil.rmtree(fresh, ignore_errors=True)


def installed(folder: Path) -> Iterator[dict[str, Any]]:
    """Give the manifest of each plugin that is unpacked."""
    for path in sorted(folder.glob("[!.]*/plugin.json")):
        yield json.loads(path.read_text())
