"""What a release runs on, and which installed version it can follow: pure functions of the catalogue."""

from __future__ import annotations

from provisioner.releases.catalogue import Catalogue, Release
from provisioner.releases.versions import major, parse_version


def find_misfits(
    release: Release,
    *,
    debian: int | None = None,
    php: str | None = None,
    postgresql: str | None = None,
) -> tuple[str, ...]:
    """Return why ``release`` does not run there, one sentence per reason; empty when it does.

    ``debian`` stands for the versions that Debian release brings; ``php`` and ``postgresql`` given beside it
    go before those. What is not given is not judged.
    """
    reasons = []
    brought = ""
    if debian is not None:
        platform = Catalogue.load().platforms.get(debian)
        if platform is None:
            known = ", ".join(str(number) for number in Catalogue.load().platforms)
            return (f"Debian {debian} is not known to sovstack, which knows {known}",)
        brought = f", Debian {debian} brings"
        php = php or platform.php
        postgresql = postgresql or platform.postgresql
    name = f"{release.product} {release.version}"
    if php is not None and release.php is not None and php not in release.php:
        reasons.append(f"{name} needs PHP {release.php}{brought or '; here is'} {php}")
    if postgresql is not None and postgresql not in release.postgresql:
        reasons.append(f"{name} needs PostgreSQL {release.postgresql}{brought or '; here is'} {postgresql}")
    return tuple(reasons)


def refuse_upgrade(release: Release, installed: str) -> str | None:
    """Return why ``release`` cannot follow the ``installed`` version, or None when it can.

    Only the step to the next major is supported, never a step back (``$OC_VersionCanBeUpgradedFrom`` in Nextcloud's
    version.php; Mattermost's documentation on upgrading from one extended support release to the next).
    """
    name = f"{release.product} {release.version}"
    wanted = parse_version(release.version)
    # An installation knows itself by four numbers, a release by three.
    if parse_version(installed)[: len(wanted)] > wanted:
        return f"{name} is older than the installed {installed}, and a step back is not supported"
    here = major(installed)
    if here == release.major or here in release.upgrades_from:
        return None
    accepted = ", ".join(str(number) for number in sorted(release.upgrades_from))
    return (
        f"{name} cannot follow the installed {installed}: it upgrades from major {accepted} only, "
        "one major at a time"
    )
