"""The contract doubles of Jitsi Meet: dpkg reads the packages, and the programs refuse what the real ones would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from doubles.jitsi.build import HERE, RELEASES, build

sys.path.insert(0, str(HERE / "lib"))
from jitsi_double import hocon
from jitsi_double.settings import Settings, SettingsError

JICOFO = """
jicofo {
  bridge.brewery-jid = "jvbbrewery@internal.auth.meet.example"
  health.enabled = true
  xmpp.client { domain = "auth.meet.example", password = "a # b" }
}
"""


def settings(tmp_path: Path, text: str, program: str = "jicofo") -> Settings:
    (tmp_path / "settings.conf").write_text(text)
    return Settings(program, ["-Xmx256m", f"-Dconfig.file={tmp_path}/settings.conf"])


@pytest.mark.parametrize("release", RELEASES)
def test_dpkg_reads_every_package(tmp_path: Path, release: str) -> None:
    for package, path in build(tmp_path, release).items():
        show = ["dpkg-deb", "--show", "--showformat", "${Package} ${Version} ${Architecture}", str(path)]
        fields = subprocess.run(show, check=True, capture_output=True, text=True).stdout
        assert fields == f"{package} {RELEASES[release][package]} all"
        assert path.name == f"{package}_{RELEASES[release][package]}_all.deb"
        listing = subprocess.run(
            ["dpkg-deb", "--contents", str(path)], check=True, capture_output=True, text=True
        )
        assert f"./usr/share/doc/{package}/SOVSTACK-CONTRACT-DOUBLE\n" in listing.stdout


def test_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = build(tmp_path / "1"), build(tmp_path / "2")
    assert {name: path.read_bytes() for name, path in first.items()} == {
        name: path.read_bytes() for name, path in second.items()
    }


def test_settings_are_read_by_their_whole_name(tmp_path: Path) -> None:
    values = settings(tmp_path, JICOFO)
    assert values.need("jicofo.xmpp.client.password") == "a # b"
    assert values.get("jicofo.rest.port", 8888) == 8888


@pytest.mark.parametrize(
    ("program", "text", "reason"),
    [
        ("jicofo", "jicofo.heath.enabled = true", "jicofo.heath.enabled is no setting of jicofo"),
        ("jicofo", 'jicofo.health.enabled = "yes"', "takes a boolean"),
        ("jicofo", "jicofo.health.interval = soon", "takes a duration"),
        ("jicofo", "jicofo { health.enabled = true", "expected a name"),
        ("jicofo", "jicofo.xmpp.client.password = p@ss", "expected a name"),
        ("jicofo", "jicofo.rest.port = 1\njicofo.rest.port = 2", "no second value of port"),
        ("jitsi-videobridge2", "videobridge.apis.xmpp-client.configs.a.HOST = b", "is no setting of"),
        ("jitsi-videobridge2", "videobridge.ice.udp.port = all", "takes a number"),
    ],
)
def test_what_the_real_one_does_not_know_is_refused(
    tmp_path: Path, program: str, text: str, reason: str
) -> None:
    with pytest.raises(SettingsError, match=reason):
        settings(tmp_path, text, program)


def test_hocon_of_the_vendors_files_is_understood() -> None:
    text = '// note\na { b = 15 seconds # more\n "c-d": [1, "x", {e = true}] }\na.f { }\ng = {}'
    assert hocon.parse(text) == {"a": {"b": "15 seconds", "c-d": [1, "x", {"e": True}], "f": {}}, "g": {}}
