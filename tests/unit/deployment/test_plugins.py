"""Verification knows the archive of a plugin by its digest, where somebody here said which one it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.deployment import steps
from provisioner.profile import read_profile
from provisioner.profile.load import ProfileReading
from provisioner.releases import Cache
from provisioner.releases.cache import Entry, TrustRecord


@pytest.mark.parametrize(
    ("pin", "trusted", "digest"),
    [("a" * 64, False, "a" * 64), ("a" * 64, True, "a" * 64), ("", True, "b" * 64), ("", False, "")],
)
def test_the_digest_is_the_profiles_or_that_of_what_a_person_admitted(
    reading: ProfileReading,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pin: str,
    trusted: bool,
    digest: str,
) -> None:
    monkeypatch.setenv("SOVSTACK_CACHE_DIR", str(tmp_path / "cache"))
    if trusted:
        (tmp_path / "archive").write_bytes(b"")
        record = TrustRecord("somebody@here", "2026-11-28T06:00:00+00:00", "seen", "no digest of it is given")
        name = "com.example.tasks-1.2.3.tar.gz"
        entry = Entry("mattermost-plugin", "1.2.3", name, "b" * 64, 0, "mirror", "/media", "", (), record)
        Cache().root.mkdir(parents=True)
        Cache().admit(tmp_path / "archive", entry)
    file = reading.folder / "profile.yml"
    plugin = f"{{ com.example.tasks: {{ version: 1.2.3{f', sha256: {pin}' if pin else ''} }} }}"
    own = f"app: mattermost\n    plugins: {plugin}\n    reasons: {{ com.example.tasks: Asked for by the council. }}"
    file.write_text(file.read_text().replace("app: mattermost", own, 1))
    profile = read_profile(reading.folder).profile
    assert steps.name_releases(profile)["mattermost-plugin com.example.tasks"].sha256 == digest
