"""Debian packages as release archives: what they say they are is held against what was asked for."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from doubles.vendor import digest_of, make_release

from provisioner.errors import ReleaseNotTrusted, Unavailable
from provisioner.releases import Catalogue, debian
from provisioner.releases.catalogue import Package, Release
from provisioner.releases.gates import Assessment, Verdict, assess

CONTROL = "Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: a@b.example\nDescription: d\n"
RELEASE = make_release(
    application="jitsi",
    product="Jitsi Meet",
    version="2.0.11031",
    signature_url="",
    signing_key=None,
    package=Package("jicofo", "1.0-1183-1"),
)


def make_package(
    folder: Path,
    *,
    name: str = "jicofo",
    version: str = "1.0-1183-1",
    architecture: str = "all",
    files: tuple[str, ...] = ("usr/share/jicofo/jicofo.jar",),
) -> Path:
    """Have dpkg-deb pack a package."""
    tree = folder / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        CONTROL.format(name=name, version=version, architecture=architecture)
    )
    for file in files:
        (tree / file).parent.mkdir(parents=True, exist_ok=True)
        (tree / file).write_text("content")
    path = folder / "package.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, path], check=True, capture_output=True)
    return path


def pack(folder: Path, *members: tarfile.TarInfo) -> Path:
    """Make a package by hand, whose content dpkg-deb would not pack."""

    def tar(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            for entry, content in entries:
                archive.addfile(entry, io.BytesIO(content))
        return stream.getvalue()

    text = CONTROL.format(name="jicofo", version="1.0-1183-1", architecture="all").encode()
    control = tarfile.TarInfo("./control")
    control.size = len(text)
    parts = {
        "debian-binary": b"2.0\n",
        "control.tar": tar((control, text)),
        "data.tar": tar(*((member, b"") for member in members)),
    }
    path = folder / "package.deb"
    with path.open("wb") as file:
        file.write(b"!<arch>\n")
        for name, content in parts.items():
            file.write(f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode())
            file.write(content + b"\n" * (len(content) % 2))
    return path


def judge(path: Path, release: Release = RELEASE) -> Assessment:
    return assess(path, digest_of(path).sha256, release, signature=None, key=None)


def test_a_package_with_its_digest_is_admitted(tmp_path: Path) -> None:
    path = make_package(tmp_path)
    release = make_release(**{**vars(RELEASE), "digest": digest_of(path)})
    assessment = judge(path, release)
    assert not assessment.doubts
    assert {gate.name: gate.summary for gate in assessment.gates}["identity"] == (
        "it says that it is jicofo 1.0-1183-1 all"
    )


def test_without_a_digest_a_person_may_vouch(tmp_path: Path) -> None:
    assessment = judge(make_package(tmp_path))
    assert [gate.name for gate in assessment.doubts] == ["digest", "openpgp"]
    assert not assessment.unacceptable


@pytest.mark.parametrize("other", [{"name": "jigasi"}, {"version": "1.0-1183-2"}, {"architecture": "amd64"}])
def test_another_package_version_or_architecture_is_refused(tmp_path: Path, other: dict[str, str]) -> None:
    (reason,) = judge(make_package(tmp_path, **other)).unacceptable  # type: ignore[arg-type]
    assert reason.endswith("and jicofo 1.0-1183-1 all was asked for")


def test_a_double_is_known_by_the_marker_of_its_own_package(tmp_path: Path) -> None:
    marker = "usr/share/doc/{}/SOVSTACK-CONTRACT-DOUBLE"
    assert judge(make_package(tmp_path / "own", files=(marker.format("jicofo"),))).is_double
    assert not judge(make_package(tmp_path / "other", files=(marker.format("else"),))).is_double


@pytest.mark.parametrize("keep", [0, 7, 60, 200, -1])
def test_a_truncated_package_is_refused(tmp_path: Path, keep: int) -> None:
    path = make_package(tmp_path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ReleaseNotTrusted):
        judge(path)


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.mode = kind, link, mode
    return member


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ((entry("./usr/../../etc/shadow"),), "outside the package's place"),
        ((entry("/etc/shadow"),), "outside the package's place"),
        ((entry("./usr/bin/su", mode=0o4755),), "setuid"),
        ((entry("./dev/sda", tarfile.BLKTYPE),), "neither a file, a folder nor a link"),
        ((entry("./a"), entry("./a")), "is there twice"),
        ((entry("./a", tarfile.SYMTYPE, "/etc"), entry("./a/shadow")), "through a link"),
        ((entry("./a", tarfile.LNKTYPE, "../etc/shadow"),), "outside the package"),
    ],
)
def test_a_hostile_package_is_refused(tmp_path: Path, members: tuple[tarfile.TarInfo, ...], why: str) -> None:
    with pytest.raises(ReleaseNotTrusted, match=why):
        judge(pack(tmp_path, *members))


def test_links_may_lead_anywhere_as_in_every_package(tmp_path: Path) -> None:
    path = pack(tmp_path, entry("./", tarfile.DIRTYPE), entry("./a", tarfile.SYMTYPE, "/etc/jitsi"))
    assert "a" in debian.inspect(path).links


def test_which_package_a_file_is_it_says_itself(tmp_path: Path) -> None:
    archives = Catalogue.load().archives("jitsi")
    assert debian.find_package(make_package(tmp_path / "a"), archives).name == "jicofo"
    with pytest.raises(ReleaseNotTrusted, match="it is the package jigasi"):
        debian.find_package(make_package(tmp_path / "b", name="jigasi"), archives)


def test_without_dpkg_it_is_said_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_package(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="dpkg-deb is not installed"):
        judge(path)


def test_the_gates_say_that_nobody_signs_a_package(tmp_path: Path) -> None:
    gates = {gate.name: gate for gate in judge(make_package(tmp_path)).gates}
    assert gates["openpgp"].verdict is Verdict.NOT_ASSESSED
    assert gates["openpgp"].summary == "the vendor signs no single archive"
