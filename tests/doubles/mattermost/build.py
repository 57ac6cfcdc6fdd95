#!/usr/bin/env python3
"""Pack the contract double of Mattermost the way its vendor packs the real Team Edition.

``build`` makes ``mattermost-team-<version>-linux-amd64.tar.gz`` with the top folder ``mattermost/``. The same inputs
give the same bytes, so that a double's digest is as stable as a release's.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
# The lines of releases that it stands for, and how many active users each bears: from where it warns, and the most.
LINES = {"10.9": (None, 5000), "10.11": (None, 2500), "11.7": (200, 250), "11.10": (200, 250)}
# Every entry has the same time.
_TIME = 1782390824
_PROGRAMS = ("bin/mattermost", "bin/mmctl")
# Folders that the vendor's packaging makes and leaves without files of the double.
_EMPTY = ("fonts", "logs", "prepackaged_plugins", "templates")
_NOTE = b"This is a contract double of sovstack. SOVSTACK-CONTRACT-DOUBLE says what that means.\n"


def build(output: Path, version: str = "11.7.9") -> Path:
    """Write the archive of a double that says it is ``version`` into ``output`` and return its path.

    Raises:
        KeyError: The version's line is not one of :data:`LINES`.
    """
    path = output / f"mattermost-team-{version}-linux-amd64.tar.gz"
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.GNU_FORMAT) as archive:
        folders: set[str] = set()
        for name, data in sorted(_files(version)):
            for folder in _parents(f"mattermost/{name}"):
                if folder not in folders:
                    folders.add(folder)
                    archive.addfile(_entry(folder, 0o755, tarfile.DIRTYPE))
            if data is None:
                continue
            # The vendor's configuration is for its owner alone.
            mode = 0o755 if name in _PROGRAMS else 0o600 if name == "config/config.json" else 0o644
            entry = _entry(f"mattermost/{name}", mode)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    output.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content.getvalue(), mtime=0))
    return path


def _files(version: str) -> Iterator[tuple[str, bytes | None]]:
    for path in HERE.glob("tree/**/*"):
        if path.is_file() and path.suffix != ".pyc":
            yield path.relative_to(HERE / "tree").as_posix(), path.read_bytes()
    interface = (HERE / "interface.json").read_bytes()
    yield "lib/double/interface.json", interface
    warn_from, most = LINES[".".join(version.split(".")[:2])]
    release = {"version": version, "warn_from_users": warn_from, "most_users": most}
    yield "lib/double/release.json", json.dumps(release).encode()
    yield "config/config.json", _configuration(json.loads(interface)["new_installation"])
    yield "i18n/en.json", b"[]\n"
    for name in ("MIT-COMPILED-LICENSE.md", "NOTICE.txt", "README.md", "config/README.md", "manifest.txt"):
        yield name, _NOTE
    for folder in _EMPTY:
        yield f"{folder}/", None


def _configuration(settings: dict[str, object]) -> bytes:
    """Return the configuration that the archive brings along: what the vendor chooses for new installations."""
    sections: dict[str, dict[str, object]] = {}
    for name, value in settings.items():
        section, key = name.split(".")
        sections.setdefault(section, {})[key] = value
    return json.dumps(sections, indent=4).encode()


def _parents(name: str) -> list[str]:
    segments = name.split("/")[:-1]
    return ["/".join(segments[: count + 1]) for count in range(len(segments))]


def _entry(name: str, mode: int, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type, entry.mtime = mode, kind, _TIME
    return entry


def main() -> None:
    """Be a command: ``build.py --output FOLDER [--version 11.7.9]``."""
    parser = argparse.ArgumentParser(description="Pack the contract double of Mattermost.")
    parser.add_argument("--output", type=Path, required=True, help="folder for the archive")
    parser.add_argument("--version", default="11.7.9", help="the version it says it is [11.7.9]")
    arguments = parser.parse_args()
    print(build(arguments.output, arguments.version))


if __name__ == "__main__":
    main()
