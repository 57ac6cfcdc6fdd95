"""The gates together: what passes, what a person may still accept, and what nobody may."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from doubles.vendor import Vendor, digest_of, make_release, make_tree, pack

from provisioner.errors import ReleaseNotTrusted, Unavailable
from provisioner.releases import gates
from provisioner.releases.catalogue import Digest, Release
from provisioner.releases.gates import Assessment, Verdict, assess


@pytest.fixture(scope="module")
def vendor() -> Vendor:
    return Vendor()


def judge(path: Path, release: Release) -> Assessment:
    return assess(path, digest_of(path).sha256, release, signature=None, key=None)


def verdicts(assessment: Assessment) -> dict[str, Verdict]:
    return {gate.name: gate.verdict for gate in assessment.gates}


def test_a_known_digest_and_the_code_signature_are_enough(vendor: Vendor, tmp_path: Path) -> None:
    path = pack(vendor.sign_tree(make_tree()), tmp_path / "a.tar.bz2")
    assessment = judge(path, make_release(digest=digest_of(path), code_signing=vendor.code_signing))
    assert verdicts(assessment) == {
        "digest": Verdict.PASS,
        "openpgp": Verdict.NOT_ASSESSED,
        "archive": Verdict.PASS,
        "identity": Verdict.PASS,
        "code signature": Verdict.PASS,
    }
    assert assessment.doubts == assessment.unacceptable == ()


def test_the_code_signature_alone_is_not_enough(vendor: Vendor, tmp_path: Path) -> None:
    path = pack(vendor.sign_tree(make_tree()), tmp_path / "a.tar.bz2")
    assessment = judge(path, make_release(code_signing=vendor.code_signing))
    assert [gate.name for gate in assessment.doubts] == ["digest", "openpgp"]
    assert assessment.unacceptable == ()


def test_an_incomplete_archive_packed_anew_may_be_accepted(vendor: Vendor, tmp_path: Path) -> None:
    tree = vendor.sign_tree(make_tree())
    del tree["core/fonts/big.ttf"]
    path = pack(tree, tmp_path / "a.tar.bz2")
    release = make_release(digest=Digest("f" * 64, "test"), code_signing=vendor.code_signing)
    assessment = judge(path, release)
    assert [gate.name for gate in assessment.doubts] == ["digest", "openpgp", "code signature"]
    assert assessment.doubts[2].summary == "1 files absent, 0 altered, 0 extra, 11 as signed"
    assert assessment.doubts[2].details == ("absent core/fonts/big.ttf",)
    assert assessment.unacceptable == ()


def test_without_a_code_signature_another_digest_is_final(tmp_path: Path) -> None:
    path = pack(make_tree(), tmp_path / "a.tar.bz2")
    assessment = judge(path, make_release(digest=Digest("f" * 64, "test")))
    assert len(assessment.unacceptable) == 1
    assert assessment.unacceptable[0].startswith("digest: ")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("index.php", "1 files are altered, index.php first"),
        ("evil.php", "1 files that may be run are not covered by a signature, evil.php first"),
        ("config/evil.config.php", "config/evil.config.php first"),
    ],
)
def test_nobody_may_accept_altered_or_extra_code(vendor: Vendor, tmp_path: Path, path: str, why: str) -> None:
    tree = {**vendor.sign_tree(make_tree()), path: b"<?php evil();"}
    assessment = judge(pack(tree, tmp_path / "a.tar.bz2"), make_release(code_signing=vendor.code_signing))
    assert any(why in reason for reason in assessment.unacceptable)


@pytest.mark.parametrize(
    ("changes", "root"),
    [
        ({"version": "34.0.2"}, "nextcloud"),
        ({}, "owncloud"),
        ({"application": "mattermost", "product": "Mattermost"}, "nextcloud"),
    ],
)
def test_the_wrong_version_or_product_is_refused(tmp_path: Path, changes: dict[str, str], root: str) -> None:
    path = pack(make_tree(), tmp_path / "a.tar.bz2", root=root)
    assessment = judge(path, make_release(digest=digest_of(path), **changes))
    assert verdicts(assessment)["identity"] is Verdict.FAIL
    assert assessment.unacceptable


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"$OC_Channel = 'stable'", b"$OC_Channel = 'beta'"),
        (b"$OC_Edition = ''", b"$OC_Edition = 'enterprise'"),
        (b"$vendor = 'nextcloud'", b"$vendor = 'somebody'"),
    ],
)
def test_another_channel_edition_or_vendor_is_refused(tmp_path: Path, before: bytes, after: bytes) -> None:
    tree = make_tree()
    tree["version.php"] = tree["version.php"].replace(before, after)
    path = pack(tree, tmp_path / "a.tar.bz2")
    assert verdicts(judge(path, make_release(digest=digest_of(path))))["identity"] is Verdict.FAIL


def test_a_long_list_of_findings_is_cut(vendor: Vendor, tmp_path: Path) -> None:
    tree = make_tree() | {f"core/{number}.js": b"" for number in range(50)}
    signed = {path: data for path, data in vendor.sign_tree(tree).items() if not path.startswith("core/1")}
    path = pack(signed, tmp_path / "a.tar.bz2")
    [gate] = [
        gate for gate in judge(path, make_release(code_signing=vendor.code_signing)).gates if gate.details
    ]
    assert gate.details == tuple(f"absent core/{name}.js" for name in ["1", *range(10, 20)])
    monkey = {path: data for path, data in signed.items() if not path.startswith(("core/2", "core/3"))}
    path = pack(monkey, tmp_path / "a.tar.bz2")
    [gate] = [
        gate for gate in judge(path, make_release(code_signing=vendor.code_signing)).gates if gate.details
    ]
    assert len(gate.details) == 21
    assert gate.details[-1] == "absent: 13 more"


def test_names_chosen_by_others_do_nothing_to_a_terminal(vendor: Vendor, tmp_path: Path) -> None:
    tree = {**vendor.sign_tree(make_tree()), "\x1b[2Jevil.php": b""}
    path = pack(tree, tmp_path / "a.tar.bz2")
    assessment = judge(path, make_release(code_signing=vendor.code_signing))
    shown = "".join([*assessment.unacceptable, *(line for gate in assessment.gates for line in gate.details)])
    assert "\\x1b[2Jevil.php" in shown
    assert "\x1b" not in shown


def test_without_gpgv_a_digest_still_vouches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda program: None)
    path = pack(make_tree(), tmp_path / "a.tar.bz2")
    beside = {"signature": path, "key": path}
    assessment = assess(path, digest_of(path).sha256, make_release(digest=digest_of(path)), **beside)
    assert assessment.doubts == ()
    with pytest.raises(Unavailable) as caught:
        assess(path, digest_of(path).sha256, make_release(), **beside)
    assert caught.value.hint == "apt install gpgv"


def test_a_damaged_archive_ends_the_assessment(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.bz2"
    path.write_bytes(b"BZh9")
    with pytest.raises(ReleaseNotTrusted):
        judge(path, make_release())


def test_a_double_is_not_measured_as_the_application(vendor: Vendor, tmp_path: Path) -> None:
    path = pack(make_tree() | {"SOVSTACK-CONTRACT-DOUBLE": b""}, tmp_path / "a.tar.bz2")
    assessment = judge(path, make_release(digest=Digest("f" * 64, "test"), code_signing=vendor.code_signing))
    assert assessment.is_double
    assert [gate.name for gate in assessment.gates] == ["archive", "identity", "contract double"]
    assert assessment.unacceptable == ()
    assert gates.Verdict.NOT_ASSESSED in verdicts(assessment).values()
