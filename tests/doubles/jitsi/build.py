#!/usr/bin/env python3
"""Pack the contract doubles of Jitsi Meet's Debian packages the way their vendor packs the real ones.

``build`` makes the four packages of one release: ``<package>_<version>_all.deb``. The same inputs give the same bytes,
so that a double's digest is as stable as a release's.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
INTERFACE = HERE / "lib" / "jitsi_double" / "interface.json"
# The releases that it stands for, and the version of each package in them.
RELEASES = {
    "2.0.10888": {
        "jitsi-meet-web": "1.0.9139-1",
        "jitsi-meet-prosody": "1.0.9139-1",
        "jicofo": "1.0-1174-1",
        "jitsi-videobridge2": "2.3-287-g4f55d380a-1",
    },
    "2.0.10978": {
        "jitsi-meet-web": "1.0.9222-1",
        "jitsi-meet-prosody": "1.0.9222-1",
        "jicofo": "1.0-1180-1",
        "jitsi-videobridge2": "2.3-291-gb4b5ccc8c-1",
    },
    "2.0.11031": {
        "jitsi-meet-web": "1.0.9268-1",
        "jitsi-meet-prosody": "1.0.9268-1",
        "jicofo": "1.0-1183-1",
        "jitsi-videobridge2": "2.3-295-g8d5c0037b-1",
    },
    "2.0.11146": {
        "jitsi-meet-web": "1.0.9365-1",
        "jitsi-meet-prosody": "1.0.9365-1",
        "jicofo": "1.0-1189-1",
        "jitsi-videobridge2": "2.3-307-g4bb0aead1-1",
    },
}
# Every entry has the same time.
_TIME = 1782390824
# What the doubles share, and where the package that runs it has it.
_LIBRARIES = {"jicofo": "usr/share/jicofo/lib", "jitsi-videobridge2": "usr/share/jitsi-videobridge/lib"}
_NOTE = "This is a contract double of sovstack. README.md in tests/doubles/jitsi says what that means.\n"


def build(output: Path, version: str = "2.0.11031") -> dict[str, Path]:
    """Write the packages of a double that says it is release ``version`` into ``output``.

    Returns:
        Their paths by the package's name.

    Raises:
        KeyError: The version is not one of :data:`RELEASES`.
    """
    output.mkdir(parents=True, exist_ok=True)
    return {package: _package(output, package, number) for package, number in RELEASES[version].items()}


def _package(output: Path, package: str, version: str) -> Path:
    files = dict(_files(package, version))
    parts = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": _tar(dict(_control(package, version, files))),
        "data.tar.gz": _tar(files),
    }
    path = output / f"{package}_{version}_all.deb"
    path.write_bytes(b"!<arch>\n" + b"".join(_member(name, data) for name, data in parts.items()))
    return path


def _files(package: str, version: str) -> Iterator[tuple[str, bytes]]:
    """Yield what the package installs, by its path from the root."""
    tree = HERE / "packages" / package / "tree"
    options = json.dumps(json.loads(INTERFACE.read_text())["web_options"]).encode()
    for path in tree.rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            data = path.read_bytes().replace(b"@version@", version.encode())
            yield path.relative_to(tree).as_posix(), data.replace(b"/* @web_options@ */[]", options)
    if package == "jitsi-meet-prosody":
        yield from _modules()
    yield f"usr/share/doc/{package}/SOVSTACK-CONTRACT-DOUBLE", _NOTE.encode()
    if (library := _LIBRARIES.get(package)) is not None:
        for path in (HERE / "lib").rglob("*"):
            if path.suffix in {".json", ".py"}:
                yield f"{library}/{path.relative_to(HERE / 'lib').as_posix()}", path.read_bytes()


def _modules() -> Iterator[tuple[str, bytes]]:
    """Yield the modules of Prosody that only look whether their options are there."""
    interface = json.loads(INTERFACE.read_text())
    for name, options in interface["prosody_modules"].items():
        text = "-- Contract double: does nothing but look for the options that the real module cannot do without.\n"
        text += f'module:require "options".need {{ {", ".join(map(json.dumps, options))} }};\n'
        yield f"usr/share/jitsi-meet/prosody-plugins/mod_{name}.lua", text.encode()


def _control(package: str, version: str, files: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield the package's control files."""
    folder = HERE / "packages" / package
    size = -(-sum(map(len, files.values())) // 1024)
    fields = (folder / "control").read_text().format(version=version, size=size)
    yield "control", fields.encode()
    for name in ("config", "postinst", "postrm", "templates"):
        if (folder / name).exists():
            yield name, (folder / name).read_bytes()
    if conffiles := sorted(f"/{name}\n" for name in files if name.startswith("etc/")):
        yield "conffiles", "".join(conffiles).encode()
    # dpkg's own list of digests; it is no protection, and MD5 is its format.
    sums = (
        f"{hashlib.md5(data, usedforsecurity=False).hexdigest()}  {name}\n"
        for name, data in sorted(files.items())
    )
    yield "md5sums", "".join(sums).encode()


def _tar(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.GNU_FORMAT) as archive:
        folders: set[str] = set()
        for name, data in sorted(files.items()):
            segments = [".", *name.split("/")[:-1]]
            for count in range(1, len(segments) + 1):
                folder = "/".join(segments[:count])
                if folder not in folders:
                    folders.add(folder)
                    archive.addfile(_entry(folder, 0o755, tarfile.DIRTYPE))
            entry = _entry(f"./{name}", 0o755 if data.startswith(b"#!") else 0o644)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(content.getvalue(), mtime=0)


def _entry(name: str, mode: int, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type, entry.mtime = mode, kind, _TIME
    entry.uname = entry.gname = "root"
    return entry


def _member(name: str, data: bytes) -> bytes:
    """Return a member of an ar archive (ar(5)): a header of fixed fields, the data, and a byte where it is odd."""
    header = f"{name:<16}{_TIME:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode()
    return header + data + b"\n" * (len(data) % 2)


def main() -> None:
    """Be a command: ``build.py --output FOLDER [--version 2.0.11031]``; prints the packages' paths."""
    parser = argparse.ArgumentParser(description="Pack the contract doubles of Jitsi Meet's packages.")
    parser.add_argument("--output", type=Path, required=True, help="folder for the packages")
    parser.add_argument("--version", default="2.0.11031", help="the release it says it is [2.0.11031]")
    arguments = parser.parse_args()
    for path in build(arguments.output, arguments.version).values():
        print(path)


if __name__ == "__main__":
    main()
