#!/usr/bin/env python3
"""Pack the contract double of Nextcloud the way its vendor packs the real one.

``build`` makes ``nextcloud-<version>.tar.bz2`` with the top folder ``nextcloud/``. The same inputs give the same
bytes, so that a double's digest is as stable as a release's.
"""

from __future__ import annotations

import argparse
import bz2
import io
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
# What each major accepts: PHP from, PHP below, majors it upgrades from. As in the catalogue's majors.
MAJORS = {32: ("8.1", "8.5", 31), 33: ("8.2", "8.6", 32), 34: ("8.2", "8.6", 33)}
# Every entry has the same time: that of the 34.0.1 release.
_TIME = 1782390824


def build(output: Path, version: str = "34.0.1") -> Path:
    """Write the archive of a double that says it is ``version`` into ``output`` and return its path.

    Raises:
        KeyError: The version's major is not one of :data:`MAJORS`.
    """
    path = output / f"nextcloud-{version}.tar.bz2"
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.GNU_FORMAT) as archive:
        folders: set[str] = set()
        for name, data in sorted(_files(version)):
            for folder in _parents(f"nextcloud/{name}"):
                if folder not in folders:
                    folders.add(folder)
                    archive.addfile(_entry(folder, 0o755, tarfile.DIRTYPE))
            entry = _entry(f"nextcloud/{name}", 0o755 if name == "occ" else 0o644)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    output.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bz2.compress(content.getvalue()))
    return path


def _files(version: str) -> Iterator[tuple[str, bytes]]:
    php_from, php_below, previous = MAJORS[int(version.split(".")[0])]
    for path in HERE.glob("tree/**/*"):
        if path.is_file():
            data = path.read_bytes().replace(b"@PHP_FROM@", php_from.encode())
            yield path.relative_to(HERE / "tree").as_posix(), data.replace(b"@PHP_BELOW@", php_below.encode())
    interface = (HERE / "interface.json").read_bytes()
    yield "lib/double/interface.json", interface
    yield "version.php", _version_file(version, previous).encode()
    yield "config/config.sample.php", b"<?php\n// The real one explains every setting here.\n$CONFIG = [];\n"
    known = json.loads(interface)
    for app in {*known["always_enabled_apps"], *known["default_enabled_apps"], *known["other_shipped_apps"]}:
        yield (
            f"apps/{app}/appinfo/info.xml",
            f"<info><id>{app}</id><version>{version}</version></info>\n".encode(),
        )


def _version_file(version: str, previous: int) -> str:
    numbers = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", version)
    if numbers is None:
        raise ValueError(f"not a version of Nextcloud: {version!r}")
    own, minor, patch = numbers.groups()
    return (
        "<?php\n"
        f"$OC_Version = array({own},{minor},{patch},2);\n"
        f"$OC_VersionString = '{version}';\n"
        "$OC_Edition = '';\n"
        "$OC_Channel = 'stable';\n"
        "$OC_VersionCanBeUpgradedFrom = array (\n"
        "  'nextcloud' =>\n"
        "  array (\n"
        f"    '{previous}.0' => true,\n"
        f"    '{own}.0' => true,\n"
        "  ),\n"
        ");\n"
        "$OC_Build = 'contract double of sovstack';\n"
        "$vendor = 'nextcloud';\n"
    )


def _parents(name: str) -> list[str]:
    segments = name.split("/")[:-1]
    return ["/".join(segments[: count + 1]) for count in range(len(segments))]


def _entry(name: str, mode: int, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type, entry.mtime = mode, kind, _TIME
    return entry


def main() -> None:
    """Be a command: ``build.py --output FOLDER [--version 34.0.1]``."""
    parser = argparse.ArgumentParser(description="Pack the contract double of Nextcloud.")
    parser.add_argument("--output", type=Path, required=True, help="folder for the archive")
    parser.add_argument("--version", default="34.0.1", help="the version it says it is [34.0.1]")
    arguments = parser.parse_args()
    print(build(arguments.output, arguments.version))


if __name__ == "__main__":
    main()
