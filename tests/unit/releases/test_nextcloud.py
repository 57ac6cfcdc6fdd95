"""Nextcloud's code signatures, held against what was tampered with."""

from __future__ import annotations

from pathlib import Path

import pytest
from doubles.vendor import Vendor, issue, make_release, make_tree, pack

from provisioner.releases import nextcloud
from provisioner.releases.archive import inspect
from provisioner.releases.identity import Identity
from provisioner.releases.nextcloud import SignatureReport

Tree = dict[str, bytes]
NAMELESS = Identity("", "it has no version.php that says what it is")


@pytest.fixture(scope="module")
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
def tree(vendor: Vendor) -> Tree:
    return vendor.sign_tree(make_tree())


def check(
    tree: Tree, vendor: Vendor, folder: Path, executable: frozenset[str] = frozenset()
) -> SignatureReport:
    inspection = inspect(pack(tree, folder / "a.tar.bz2", executable=executable), nextcloud.keep)
    return nextcloud.check_signatures(inspection, vendor.code_signing.root_sha256)


def test_an_untouched_release_is_as_signed(tree: Tree, vendor: Vendor, tmp_path: Path) -> None:
    report = check(tree, vendor, tmp_path)
    assert (report.problems, report.absent, report.altered, report.extra, report.executable) == ((),) * 5
    assert report.verified == 12
    assert report.uncovered == (
        "config/CAN_INSTALL", "config/config.sample.php", "themes/README", "themes/example/defaults.php",
    )  # fmt: skip


@pytest.mark.parametrize(
    "path", ["core/fonts/big.ttf", "apps/files/lib/Files.php", "apps/files/l10n/\u00e9.js"]
)
def test_an_absent_file_is_named(tree: Tree, vendor: Vendor, tmp_path: Path, path: str) -> None:
    del tree[path]
    report = check(tree, vendor, tmp_path)
    assert (report.problems, report.absent, report.altered) == ((), (path,), ())


@pytest.mark.parametrize("path", ["index.php", "resources/codesigning/root.crl", "apps/files/lib/Files.php"])
def test_an_altered_file_is_named(tree: Tree, vendor: Vendor, tmp_path: Path, path: str) -> None:
    tree[path] += b"\n"
    assert check(tree, vendor, tmp_path).altered == (path,)


def test_the_access_file_may_differ_below_its_mark_only(tree: Tree, vendor: Vendor, tmp_path: Path) -> None:
    tree[".htaccess"] += b"# written by the installer\n"
    assert check(tree, vendor, tmp_path).altered == ()
    tree[".htaccess"] = b"# before\n" + tree[".htaccess"]
    assert check(tree, vendor, tmp_path).altered == (".htaccess",)


@pytest.mark.parametrize(
    "path", ["evil.php", "core/evil.js", "apps/files/evil.php", "apps/evil.php", ".user.ini"]
)
def test_an_extra_file_that_may_run_is_named(tree: Tree, vendor: Vendor, tmp_path: Path, path: str) -> None:
    tree[path] = b"<?php evil();"
    report = check(tree, vendor, tmp_path)
    assert report.extra == report.executable == (path,)


def test_an_extra_file_that_nothing_runs_is_extra_all_the_same(
    tree: Tree, vendor: Vendor, tmp_path: Path
) -> None:
    tree["notes.txt"] = b"hello"
    report = check(tree, vendor, tmp_path)
    assert (report.extra, report.executable) == (("notes.txt",), ())
    assert check(tree, vendor, tmp_path, executable=frozenset({"notes.txt"})).executable == ("notes.txt",)


@pytest.mark.parametrize(
    "path", ["config/evil.config.php", "config/config.php", "updater/index.php", "themes/default/core.js"]
)
def test_code_where_no_signature_looks_is_named(
    tree: Tree, vendor: Vendor, tmp_path: Path, path: str
) -> None:
    tree[path] = b"<?php evil();"
    report = check(tree, vendor, tmp_path)
    assert report.extra == ()
    assert path in report.uncovered
    assert report.executable == (path,)


def test_an_app_without_a_signature_is_a_problem(tree: Tree, vendor: Vendor, tmp_path: Path) -> None:
    tree["apps/evil/appinfo/info.xml"] = b"<info/>"
    report = check(tree, vendor, tmp_path)
    assert report.problems == ("apps/evil/appinfo/signature.json: it is not in the archive",)
    assert report.extra == ("apps/evil/appinfo/info.xml",)


def test_a_release_without_the_core_signature_is_a_problem(
    tree: Tree, vendor: Vendor, tmp_path: Path
) -> None:
    del tree["core/signature.json"]
    assert check(tree, vendor, tmp_path).problems == ("core/signature.json: it is not in the archive",)


def test_another_vendor_is_not_the_vendor(tree: Tree, vendor: Vendor, tmp_path: Path) -> None:
    impostor = Vendor().sign_tree(make_tree())
    report = check(impostor, vendor, tmp_path)
    assert "root certificate" in report.problems[0]
    assert report.verified == 0
    # An impostor who ships the real root beside his own certificates gets no further.
    impostor["resources/codesigning/root.crt"] += vendor.root.pem
    report = check(impostor, vendor, tmp_path)
    assert report.verified == 0
    assert report.problems


def test_a_signature_over_other_hashes_is_refused(tree: Tree, vendor: Vendor, tmp_path: Path) -> None:
    tree["core/signature.json"] = tree["core/signature.json"].replace(b'"occ": "', b'"occ": "0', 1)
    report = check(tree, vendor, tmp_path)
    assert report.problems == ("core/signature.json: its signature does not match its hash table",)


def test_the_certificate_of_one_app_does_not_sign_another(vendor: Vendor, tmp_path: Path) -> None:
    tree = vendor.sign_tree(make_tree())
    other = issue("dav", vendor.intermediate, authority=False)
    tree["apps/files/appinfo/signature.json"] = vendor.sign({}, other)
    tree["apps/dav/appinfo/signature.json"] = vendor.sign({}, other)
    problems = check(tree, vendor, tmp_path).problems
    assert problems == ("apps/files/appinfo/signature.json: its certificate is for dav, not for files",)


def test_a_certificate_that_may_not_issue_does_not(vendor: Vendor, tmp_path: Path) -> None:
    tree = vendor.sign_tree(make_tree())
    forged = issue("core", vendor.core, authority=False)
    tree["resources/codesigning/root.crt"] += vendor.core.pem
    tree["core/signature.json"] = vendor.sign({}, forged)
    assert check(tree, vendor, tmp_path).problems == (
        "core/signature.json: its certificate was not issued by the vendor",
    )


def test_a_revoked_certificate_signs_nothing(tmp_path: Path) -> None:
    vendor = Vendor(revoked=[4096])
    report = check(vendor.sign_tree(make_tree()), vendor, tmp_path)
    assert report.problems[0].endswith("its certificate was revoked by the vendor")
    assert report.verified == 0


def test_a_revocation_list_by_somebody_else_is_refused(vendor: Vendor, tmp_path: Path) -> None:
    tree = vendor.sign_tree(make_tree())
    tree["resources/codesigning/root.crl"] = Vendor().revocations()
    assert check(tree, vendor, tmp_path).problems == (
        "the release is not signed by the vendor: its revocation list is not signed by the vendor",
    )


def test_an_expired_certificate_signs_nothing(vendor: Vendor, tmp_path: Path) -> None:
    tree = vendor.sign_tree(make_tree())
    tree["core/signature.json"] = vendor.sign({}, issue("core", vendor.intermediate, authority=False, days=1))
    assert "valid from 2020-01-01 to 2020-01-02 only" in check(tree, vendor, tmp_path).problems[0]


@pytest.mark.parametrize(
    "document",
    [b"", b"{}", b"[]", b"null", b'{"hashes": [], "signature": "", "certificate": ""}', b"[" * 100_000],
)
def test_a_broken_signature_file_is_a_problem_and_no_traceback(
    tree: Tree, vendor: Vendor, tmp_path: Path, document: bytes
) -> None:
    tree["core/signature.json"] = document
    assert len(check(tree, vendor, tmp_path).problems) == 1


def test_broken_certificates_are_a_problem_and_no_traceback(
    tree: Tree, vendor: Vendor, tmp_path: Path
) -> None:
    tree["resources/codesigning/root.crt"] = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    assert "cannot be read" in check(tree, vendor, tmp_path).problems[0]


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        (b"<?php\n$OC_VersionString = '34.0.1';\n$OC_Channel = 'stable';\n$vendor = 'nextcloud';\n",
         Identity("nextcloud 34.0.1 stable")),
        (b"<?php\n$OC_VersionString = '34.0.2';\n$OC_Channel = 'stable';\n$vendor = 'nextcloud';\n",
         Identity("nextcloud 34.0.2 stable",
                  "it is nextcloud 34.0.2 stable in nextcloud/, not Nextcloud Server 34.0.1")),
        (b"<?php\n// $OC_VersionString = '34.0.1';\n", NAMELESS),
        (b"", NAMELESS),
        (b"\xff\xfe", NAMELESS),
    ],
)  # fmt: skip
def test_identity_is_read_from_the_version_file(tmp_path: Path, text: bytes, identity: Identity) -> None:
    inspection = inspect(pack({"version.php": text}, tmp_path / "a.tar.bz2"), nextcloud.keep)
    assert nextcloud.identify(inspection, make_release()) == identity
