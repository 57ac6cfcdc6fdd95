"""What a release runs on, and which installed version it can follow: pure functions of the catalogue."""

from __future__ import annotations

from provisioner.releases.catalogue import NEEDS, Catalogue, Release
from provisioner.releases.versions import major, parse_version


def find_misfits(release: Release, *, debian: int | None = None, **versions: str | None) -> tuple[str, ...]:
    """Return why ``release`` does not run there, one sentence per reason; empty when it does.

    ``debian`` stands for the versions that Debian release brings; ``versions`` given beside it, such as ``php``,
    go before those. What is not given is not judged.
    """
    known = Catalogue.load().platforms
    if debian is not None and debian not in known:
        named = ", ".join(str(number) for number in known)
        return (f"Debian {debian} is not known to sovstack, which knows {named}",)
    brought = known[debian].brings if debian is not None else {}
    here = f", Debian {debian} brings" if debian is not None else "; here is"
    found = {**brought, **{name: version for name, version in versions.items() if version is not None}}
    return tuple(
        f"{release.product} {release.version} needs {NEEDS[name]} {accepted}{here} {found[name]}"
        for name, accepted in release.needs.items()
        if name in found and found[name] not in accepted
    )


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
