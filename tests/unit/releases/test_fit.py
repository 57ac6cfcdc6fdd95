"""Where a release runs, and what it can follow."""

from __future__ import annotations

import pytest
from doubles.vendor import make_release
from hypothesis import given
from hypothesis import strategies as st

from provisioner.releases.fit import find_misfits, refuse_upgrade
from provisioner.releases.versions import VersionRange, parse_version


@pytest.mark.parametrize("debian", [12, 13])
def test_the_default_runs_on(debian: int) -> None:
    assert find_misfits(make_release(), debian=debian) == ()


def test_a_release_that_needs_a_newer_php_does_not_run_on_debian_12() -> None:
    release = make_release(version="35.0.2", needs={"php": VersionRange("8.3", "8.6")})
    assert find_misfits(release, debian=12) == (
        "Nextcloud Server 35.0.2 needs PHP >= 8.3 and < 8.6, Debian 12 brings 8.2",
    )
    assert find_misfits(release, debian=13) == ()


def test_an_unknown_debian_is_not_called_fit() -> None:
    assert find_misfits(make_release(), debian=11) == (
        "Debian 11 is not known to sovstack, which knows 12, 13",
    )


@pytest.mark.parametrize(
    ("php", "postgresql", "reasons"),
    [
        ("8.2.36", "15", 0),
        ("8.1.99", "15", 1),
        ("8.6.0", "15", 1),
        ("8.4", "13.9", 1),
        ("8.4", "19", 1),
        ("7.4", "9.6", 2),
        (None, None, 0),
    ],
)
def test_ranges_end_before_the_first_version_that_is_refused(
    php: str | None, postgresql: str | None, reasons: int
) -> None:
    assert len(find_misfits(make_release(), php=php, postgresql=postgresql)) == reasons


def test_what_is_found_on_a_host_goes_before_what_debian_brings() -> None:
    assert find_misfits(make_release(), debian=13, php="8.1")


@pytest.mark.parametrize(
    ("installed", "why"),
    [
        ("34.0.1.2", None),
        ("34.0.0", None),
        ("33.0.9.1", None),
        ("32.0.2.2", "one major at a time"),
        ("34.0.2", "a step back is not supported"),
        ("35.0.0", "a step back is not supported"),
    ],
)
def test_upgrades_go_one_major_at_a_time_and_never_back(installed: str, why: str | None) -> None:
    refusal = refuse_upgrade(make_release(), installed)
    assert (refusal is None) if why is None else (refusal is not None and why in refusal)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=4))
def test_a_version_is_read_back_as_it_was_written(numbers: list[int]) -> None:
    assert parse_version(".".join(map(str, numbers))) == tuple(numbers)


@pytest.mark.parametrize("text", ["", "1.", ".1", "v1", "1.0-rc1", "1. 0", "\u0661"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a version number"):
        parse_version(text)
