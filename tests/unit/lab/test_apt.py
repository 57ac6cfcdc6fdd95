"""The controller's package sources become those of another Debian release."""

from provisioner.lab import apt

DEB822 = """\
# Debian's own
Types: deb deb-src
URIs: https://mirror.zonnedael.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: https://security.zonnedael.example/
Suites: bookworm-security
Components: main
Signed-By: /etc/apt/keyrings/zonnedael.gpg

Types: deb
URIs: https://packages.vendor.example/apt
Suites: nodistro
Components: main

Types: deb
Enabled: no
URIs: https://off.zonnedael.example/debian
Suites: bookworm
Components: main
"""


def test_deb822_sources_are_read_one_per_suite():
    sources = list(apt.parse_deb822(DEB822))
    assert [(source.uri, source.suite) for source in sources] == [
        ("https://mirror.zonnedael.example/debian", "bookworm"),
        ("https://mirror.zonnedael.example/debian", "bookworm-updates"),
        ("https://mirror.zonnedael.example/debian", "bookworm-backports"),
        ("https://security.zonnedael.example/", "bookworm-security"),
        ("https://packages.vendor.example/apt", "nodistro"),
    ]
    assert sources[0].components == ("main", "contrib")
    assert sources[0].options["Signed-By"].count("PGP PUBLIC KEY BLOCK") == 2


def test_one_line_sources_are_read_with_their_trust():
    text = """\
# deb http://commented.example/debian bookworm main
deb-src http://mirror.example/debian bookworm main
deb [arch=amd64 signed-by=/etc/apt/keyrings/m.gpg] http://mirror.example/debian bookworm main contrib # ours
deb http://mirror.example/debian-security bookworm-security main
"""
    assert list(apt.parse_one_line(text)) == [
        apt.Source(
            "http://mirror.example/debian",
            "bookworm",
            ("main", "contrib"),
            {"Signed-By": "/etc/apt/keyrings/m.gpg"},
        ),
        apt.Source("http://mirror.example/debian-security", "bookworm-security", ("main",)),
    ]


def test_only_debian_itself_is_lent_to_a_machine():
    adapted = apt.adapt(apt.parse_deb822(DEB822), "trixie")
    assert [(source.uri, source.suite) for source in adapted] == [
        ("https://mirror.zonnedael.example/debian", "trixie"),
        ("https://mirror.zonnedael.example/debian", "trixie-updates"),
        ("https://security.zonnedael.example/", "trixie-security"),
    ]
    assert apt.keyrings(adapted) == ["/etc/apt/keyrings/zonnedael.gpg"]


def test_what_only_the_controller_can_reach_is_not_lent():
    sources = [
        apt.Source("file:/srv/mirror", "bookworm", ("main",)),
        apt.Source("cdrom:[Debian]/", "bookworm", ("main",)),
        apt.Source("http://archive.ubuntu.example/ubuntu", "noble", ("main",)),
    ]
    assert apt.adapt(sources, "trixie") == []


def test_a_rendered_source_is_read_back_as_it_was():
    written = apt.adapt(apt.parse_deb822(DEB822), "trixie")
    assert list(apt.parse_deb822(apt.render(written))) == written


def test_a_source_without_a_key_gets_debians():
    rendered = apt.render([apt.Source("http://mirror.example/debian", "trixie", ("main",))])
    assert "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n" in rendered


def test_settings_tell_how_to_fetch_and_nothing_else():
    dump = """\
APT::Architecture "amd64";
Acquire::http::Proxy "http://proxy.zonnedael.example:3128";
Acquire::https::Proxy "http://127.0.0.1:3142";
Acquire::Check-Valid-Until "false";
Acquire::Retries "3";
Acquire::Languages "none";
DPkg::Post-Invoke:: "rm -f /var/cache/apt/archives/*.deb";
"""
    assert apt.settings(dump) == (
        'Acquire::http::Proxy "http://proxy.zonnedael.example:3128";\n'
        'Acquire::Check-Valid-Until "false";\n'
        'Acquire::Retries "3";\n'
    )
